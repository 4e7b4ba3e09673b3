import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomUUID,
} from 'node:crypto'
import { chmodSync, existsSync, linkSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigError, parseSecret } from '../config/config-error.ts'
import { makeFolder } from '../lib/folders.ts'

/** The keys of the service: derived from its secrets, so that one setting is all there is to keep and rotate. */
export interface Keys {
  /** The keys of 32 bytes for a purpose, one of each secret, the newest first: the first makes, all of them verify. */
  of(purpose: string): Buffer[]
  /** Names of the secrets that tell nothing of them. */
  secretIds: string[]
}

/** Derives keys from the secrets (newest first) by HKDF (RFC 5869). */
export function deriveKeys(secrets: Buffer[]): Keys {
  const of = (purpose: string) =>
    secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', `bukhindor/v1/${purpose}`, 32)))
  return { of, secretIds: of('secret-id').map((id) => id.toString('base64url')) }
}

const PKCS8_ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex') // RFC 8410, section 7

/** The Ed25519 pair of a private key of 32 bytes. */
export function ed25519Pair(seed: Buffer): { privateKey: KeyObject; publicKey: KeyObject } {
  const key = Buffer.concat([PKCS8_ED25519_PREFIX, seed])
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** A keyed fingerprint of a text, base64url: equal for equal texts, and of no use without the secret. */
export const fingerprint = (key: Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64url')

/**
 * The secrets in force: `APP_SECRET`, or with the embedded database the file `DATA_DIR/secret.key`, made at the first
 * start with mode 0600: as long as the database is empty, since another secret would not open what is in it. Throws ConfigError when
 * the file is missing later, cannot be read, can be read by others, or holds no secret.
 */
export async function loadSecrets(
  config: { appSecret: Buffer[] | null; dataDir: string },
  isInUse: () => Promise<boolean>,
): Promise<Buffer[]> {
  if (config.appSecret) return config.appSecret
  const file = join(config.dataDir, 'secret.key')
  if (existsSync(file)) return readSecretFile(file)
  // Looked at again: another process may have made the secret, and then the first row.
  if ((await isInUse()) && !existsSync(file)) throw new ConfigError([lostSecret(file)])
  makeSecretFile(file)
  return readSecretFile(file)
}

const lostSecret = (file: string): string =>
  `${file} is missing, but the database has accounts. Without this secret, all users are signed out and queued e-mails cannot be sent. Restore the file from a backup, or set APP_SECRET to its value. If it is lost permanently, create a new one (all users must sign in again): (umask 077; node -p "crypto.randomBytes(32).toString('base64url')" > '${file}')`

function makeSecretFile(file: string): void {
  try {
    makeFolder(dirname(file))
    // Written aside and linked: two processes that start at once agree on one secret, and none reads half of it.
    const draft = `${file}.${process.pid}`
    writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
    chmodSync(draft, 0o600)
    try {
      linkSync(draft, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      unlinkSync(draft)
    }
  } catch (error) {
    throw asConfigError(file, error)
  }
}

function readSecretFile(file: string): Buffer[] {
  try {
    const secrets = readFileSync(file, 'utf8')
      .trim()
      .split(',')
      .map((part) => parseSecret(part.trim()))
    requirePrivate(file)
    return secrets
  } catch (error) {
    throw asConfigError(file, error)
  }
}

/** Throws where others than the owner may read or change the file, unless its file system keeps no such rights. */
function requirePrivate(file: string): void {
  const mode = statSync(file).mode & 0o777
  if ((mode & 0o077) === 0 || !keepsModes(dirname(file))) return
  throw new Error(
    `other users of this machine can read or change it (mode ${mode.toString(8).padStart(4, '0')}), and could sign in as anyone. Restrict access: chmod 600 '${file}'. If someone may have read it, replace the secret: see docs/operations.md`,
  )
}

/** Whether a file that is made for its owner alone is so: not on Windows, FAT and some network shares. */
function keepsModes(folder: string): boolean {
  if (process.platform === 'win32') return false
  const probe = join(folder, `.mode-${randomUUID()}`)
  try {
    writeFileSync(probe, '', { mode: 0o600, flag: 'wx' })
    return (statSync(probe).mode & 0o077) === 0
  } catch {
    return true // Nothing can be made there: the mode is taken as it is.
  } finally {
    rmSync(probe, { force: true })
  }
}

const asConfigError = (file: string, error: unknown): ConfigError =>
  new ConfigError([`${file}: ${error instanceof Error ? error.message : String(error)}`])
