import { createCipheriv, pbkdf2Sync, scryptSync, timingSafeEqual } from 'node:crypto'
import bcrypt from 'bcryptjs'

/**
 * Verifies password hashes created by other systems, which an import stores unchanged. The first successful sign-in
 * replaces them by an argon2id hash.
 *
 * | from                    | stored form                                                                     |
 * | ----------------------- | ------------------------------------------------------------------------------- |
 * | bcrypt                  | `$2b$cost$...`, also `$2a$` and `$2y$`                                          |
 * | Firebase Authentication | `$firebase-scrypt$ln=mem_cost,r=rounds$signer_key$salt_separator$salt$digest`   |
 * | PHC string format       | `$scrypt$ln=N,r=N,p=N$salt$digest`                                              |
 * | PHC, passlib            | `$pbkdf2-sha256$i=iterations$salt$digest`, also `-sha512`, also without `i=`    |
 * | Django                  | `pbkdf2_sha256$iterations$salt$digest`, also `_sha512`; the salt is text        |
 *
 * Other binary parts are base64, with or without padding.
 */
type Verifier = (password: string) => boolean

/**
 * Cost limits of about a second of one core, so that no imported hash can stall the service. A hash above them counts
 * as unknown. Firebase's limits are those of Firebase itself.
 */
const LIMITS = {
  bcryptCost: 14,
  scryptWork: 2 ** 20,
  pbkdf2Iterations: 2_000_000,
  firebaseMemCost: 14,
  firebaseRounds: 8,
}
/** A shorter digest could match a wrong password by chance. */
export const MIN_DIGEST_BYTES = 16

const B64 = '([A-Za-z0-9+/._-]{1,172}={0,2})'
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
const FIREBASE = new RegExp(`^\\$firebase-scrypt\\$ln=(\\d{1,2}),r=(\\d)\\$${B64}\\$${B64}?\\$${B64}\\$${B64}$`)
const SCRYPT = new RegExp(`^\\$scrypt\\$ln=(\\d{1,2}),r=(\\d{1,2}),p=(\\d{1,2})\\$${B64}\\$${B64}$`)
const PBKDF2 = new RegExp(`^\\$pbkdf2-(sha256|sha512)\\$(?:i=)?(\\d{1,8})(?:,l=\\d+)?\\$${B64}\\$${B64}$`)
const DJANGO = new RegExp(`^pbkdf2_(sha256|sha512)\\$(\\d{1,8})\\$([^$]{1,172})\\$${B64}$`)

/** Decodes standard and URL-safe base64, and that of passlib, which uses `.` for `+`. */
const decode = (base64 = '') => Buffer.from(base64.replaceAll('.', '+'), 'base64')

const matches = (digest: Buffer, expected: Buffer) =>
  digest.length === expected.length && timingSafeEqual(digest, expected)

function scryptDigest(password: string, salt: Buffer, length: number, cost: { ln: number; r: number; p: number }) {
  const N = 2 ** cost.ln
  // Node.js allows 32 MiB by default. This is what the algorithm needs; LIMITS bounds it.
  return scryptSync(password, salt, length, { N, r: cost.r, p: cost.p, maxmem: 128 * cost.r * (N + cost.p + 2) })
}

function bcryptVerifier(hash: string): Verifier | undefined {
  const cost = Number(BCRYPT.exec(hash)?.[1])
  if (cost >= 4 && cost <= LIMITS.bcryptCost) return (password) => bcrypt.compareSync(password, hash)
}

/** The digest is the project's signer key, encrypted with a key that scrypt derives from the password. */
function firebaseVerifier(hash: string): Verifier | undefined {
  const [whole, memCost, rounds, signerKey, separator, salt, expected] = FIREBASE.exec(hash) ?? []
  const [ln, r, digest] = [Number(memCost), Number(rounds), decode(expected)]
  if (!whole || ln < 1 || ln > LIMITS.firebaseMemCost || r < 1 || r > LIMITS.firebaseRounds) return
  if (digest.length < MIN_DIGEST_BYTES) return
  return (password) => {
    const key = scryptDigest(password, Buffer.concat([decode(salt), decode(separator)]), 32, { ln, r, p: 1 })
    return matches(createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(decode(signerKey)), digest)
  }
}

function scryptVerifier(hash: string): Verifier | undefined {
  const [whole, ...parts] = SCRYPT.exec(hash) ?? []
  const [ln = 0, r = 0, p = 0] = parts.slice(0, 3).map(Number)
  const [salt, digest] = parts.slice(3).map(decode) as [Buffer, Buffer]
  // RFC 7914, section 2: N is less than 2^(128 r / 8).
  if (!whole || ln < 1 || ln >= 16 * r || p < 1 || 2 ** ln * r * p > LIMITS.scryptWork) return
  if (digest.length < MIN_DIGEST_BYTES) return
  return (password) => matches(scryptDigest(password, salt, digest.length, { ln, r, p }), digest)
}

function pbkdf2Verifier(hash: string): Verifier | undefined {
  const django = DJANGO.exec(hash)
  const [, algorithm, rounds, saltText, expected] = django ?? PBKDF2.exec(hash) ?? []
  if (!algorithm || !saltText) return
  const [iterations, digest, salt] = [Number(rounds), decode(expected), django ? saltText : decode(saltText)]
  if (iterations < 1 || iterations > LIMITS.pbkdf2Iterations || digest.length < MIN_DIGEST_BYTES) return
  return (password) => matches(pbkdf2Sync(password, salt, iterations, digest.length, algorithm), digest)
}

/** Returns a synchronous verifier for `hash`, or undefined for an unknown format or an excessive cost. */
export function foreignVerifier(hash: string): Verifier | undefined {
  return bcryptVerifier(hash) ?? firebaseVerifier(hash) ?? scryptVerifier(hash) ?? pbkdf2Verifier(hash)
}

/** An account from Firebase's `auth:export` with the project's password hash parameters; binary parts as base64. */
export interface FirebaseHash {
  passwordHash: string
  salt: string
  signerKey: string
  saltSeparator: string
  rounds: number
  memCost: number
}

/**
 * Returns the stored form of a Firebase password hash. It includes the project's signer key.
 * @throws RangeError when a part is malformed or the cost is above Firebase's own range (rounds 1–8, mem_cost 1–14)
 * @see https://github.com/firebase/scrypt
 */
export function firebaseHash(from: FirebaseHash): string {
  const { passwordHash, salt, signerKey, saltSeparator, rounds, memCost } = from
  const hash = `$firebase-scrypt$ln=${memCost},r=${rounds}$${signerKey}$${saltSeparator}$${salt}$${passwordHash}`
  if (!firebaseVerifier(hash)) throw new RangeError('Malformed Firebase password hash, or parameters out of range')
  return hash
}
