import { createHmac, createPrivateKey, createPublicKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import { chmodSync, linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, ConfigError, parseSecret } from './config.ts'
import { makeFolder } from './folders.ts'

/** All keys of the service, each list newest first: the first makes, all of them verify. */
export interface Keys {
  /** Ed25519 pairs for access tokens. */
  signing: { privateKey: KeyObject; publicKey: KeyObject }[]
  /** HMAC-SHA256 keys, 32 bytes each, by what they protect. */
  refresh: Buffer[]
  device: Buffer[]
  cursor: Buffer[]
  /** AES-256-GCM keys for answers kept for idempotency. */
  sealing: Buffer[]
  /** Keyed hash for things that are looked up but need not be readable, such as an e-mail in a throttle: `lookup-key.ts`. */
  lookup: Buffer
  /** Names of the secrets that tell nothing of them. */
  secretIds: string[]
}

const PKCS8_ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex') // RFC 8410, section 7

const derive = (secret: Buffer, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', `bukhindor/v1/${purpose}`, 32)) // RFC 5869

/** Derives every key from the secrets (newest first) by HKDF, so that one setting is all there is to keep and rotate. */
export function deriveKeys(secrets: Buffer[]): Keys {
  const all = (purpose: string) => secrets.map((secret) => derive(secret, purpose))
  return {
    signing: all('access-token').map((seed) => {
      const privateKey = createPrivateKey({
        key: Buffer.concat([PKCS8_ED25519_PREFIX, seed]),
        format: 'der',
        type: 'pkcs8',
      })
      return { privateKey, publicKey: createPublicKey(privateKey) }
    }),
    refresh: all('refresh-token'),
    device: all('device-token'),
    cursor: all('cursor'),
    sealing: all('sealing'),
    lookup: derive(secrets[0] as Buffer, 'lookup'),
    secretIds: all('secret-id').map((id) => id.toString('base64url')),
  }
}

/** A keyed fingerprint of a text, base64url: equal for equal texts, and of no use without the secret. */
export const fingerprint = (key: Buffer, text: string): string =>
  createHmac('sha256', key).update(text).digest('base64url')

/**
 * The secrets in force: `APP_SECRET`, or with the embedded database the file `DATA_DIR/secret.key`, made at the first
 * start with mode 0600. Throws ConfigError when there is neither, or the file cannot be read or holds no secret.
 */
export function loadSecrets(config: Config): { secrets: Buffer[]; createdAt: string | null } {
  if (config.appSecret) return { secrets: config.appSecret, createdAt: null }
  const file = join(config.dataDir, 'secret.key')
  try {
    return { secrets: readSecretFile(file), createdAt: null }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw asConfigError(file, error)
  }
  try {
    makeFolder(config.dataDir)
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
    return { secrets: readSecretFile(file), createdAt: file }
  } catch (error) {
    throw asConfigError(file, error)
  }
}

const readSecretFile = (file: string): Buffer[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split(',')
    .map((part) => parseSecret(part.trim()))

const asConfigError = (file: string, error: unknown): ConfigError =>
  new ConfigError([`${file}: ${error instanceof Error ? error.message : String(error)}`])
