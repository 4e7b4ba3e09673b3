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

/** The keys of the service, derived from its secrets. */
export interface Keys {
  /** Returns the 32-byte keys for a purpose, one per secret, newest first: the first signs or encrypts, all are accepted. */
  of(purpose: string): Buffer[]
  /** Identifiers of the secrets, from which the secrets cannot be derived. */
  secretIds: string[]
}

/** Derives keys from the secrets (newest first) by HKDF (RFC 5869). */
export function deriveKeys(secrets: Buffer[]): Keys {
  const of = (purpose: string) =>
    secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', `bukhindor/v1/${purpose}`, 32)))
  return { of, secretIds: of('secret-id').map((id) => id.toString('base64url')) }
}

const PKCS8_ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex') // RFC 8410, section 7

/** Returns the Ed25519 key pair of a 32-byte private key. */
export function ed25519Pair(seed: Buffer): { privateKey: KeyObject; publicKey: KeyObject } {
  const key = Buffer.concat([PKCS8_ED25519_PREFIX, seed])
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** Returns HMAC-SHA256 of a text in base64url: equal for equal texts, and not computable without the key. */
export const fingerprint = (key: KeyObject, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64url')

/**
 * Returns the secrets of `APP_SECRET` or, without it, of `DATA_DIR/secret.key`, which is created while the database has
 * no accounts. Throws ConfigError if the file is missing later, unreadable, accessible to other users, or invalid.
 */
export async function loadSecrets(
  config: { appSecret: Buffer[] | null; dataDir: string },
  isInUse: () => Promise<boolean>,
): Promise<Buffer[]> {
  if (config.appSecret) return config.appSecret
  const file = join(config.dataDir, 'secret.key')
  if (existsSync(file)) return readSecretFile(file)
  // Checked again: meanwhile another process may have created the file, and then the first account.
  if ((await isInUse()) && !existsSync(file)) throw new ConfigError([explainMissingSecret(file)])
  makeSecretFile(file)
  return readSecretFile(file)
}

const explainMissingSecret = (file: string): string =>
  `${file} is missing, but the database has accounts. Without this secret, all users are signed out and queued e-mails cannot be sent. Restore the file from a backup, or set APP_SECRET to its value. If it is lost permanently, create a new one (all users must sign in again): (umask 077; node -p "crypto.randomBytes(32).toString('base64url')" > '${file}')`

function makeSecretFile(file: string): void {
  try {
    makeFolder(dirname(file))
    // Written to a draft and linked: processes that start together agree on one secret and never read half of it.
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

/** Throws an Error if other users may read or change the file, unless its file system has no permissions. */
function requirePrivate(file: string): void {
  const mode = statSync(file).mode & 0o777
  if ((mode & 0o077) === 0 || !supportsModes(dirname(file))) return
  throw new Error(
    `other users of this machine can read or change it (mode ${mode.toString(8).padStart(4, '0')}), and could sign in as anyone. Restrict access: chmod 600 '${file}'. If someone may have read it, replace the secret: see docs/operations.md`,
  )
}

/** Whether the file system stores file modes; Windows, FAT and some network shares do not. */
function supportsModes(folder: string): boolean {
  if (process.platform === 'win32') return false
  const probe = join(folder, `.mode-${randomUUID()}`)
  try {
    writeFileSync(probe, '', { mode: 0o600, flag: 'wx' })
    return (statSync(probe).mode & 0o077) === 0
  } catch {
    return true // The folder is not writable: trust the mode of the file.
  } finally {
    rmSync(probe, { force: true })
  }
}

const asConfigError = (file: string, error: unknown): ConfigError =>
  new ConfigError([`${file}: ${error instanceof Error ? error.message : String(error)}`])
