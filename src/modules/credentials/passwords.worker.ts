import { randomBytes } from 'node:crypto'
import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { hashSync, parseOptions, verifySync } from '@node-rs/argon2'
import { foreignVerifier, MIN_DIGEST_BYTES } from './foreign-hashes.ts'
import type { Job, Reply, Verification } from './passwords.ts'

/** OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, 2 passes, 1 lane. */
const OPTIONS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } // 2 is argon2id; a const enum cannot be imported
const CURRENT = '$argon2id$v=19$m=19456,t=2,p=1$'
/** Limits for hashes with other parameters: 256 MiB and about a second of one core. */
const MAX_MEMORY_KIB = 262_144
const MAX_WORK = 1_048_576

const unpadded = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '')
/** A well-formed hash of the current cost that no known password matches. */
const DUMMY = `${CURRENT}${unpadded(16)}$${unpadded(32)}`

function argon2Verifier(hash: string) {
  if (!hash.startsWith('$argon2')) return
  try {
    const { memoryCost, timeCost, outputLen } = parseOptions(hash)
    if (memoryCost > MAX_MEMORY_KIB || memoryCost * timeCost > MAX_WORK || outputLen < MIN_DIGEST_BYTES) return
    return (password: string) => verifySync(hash, password)
  } catch {
    // A malformed hash counts as unknown.
  }
}

function verify(hash: string | null, password: string): Verification {
  const verifier = hash ? (argon2Verifier(hash) ?? foreignVerifier(hash)) : undefined
  if (hash && verifier) {
    const ok = verifier(password)
    return { ok, rehash: ok && !hash.startsWith(CURRENT) }
  }
  // Without a usable hash, do the work of a wrong password, so that the time reveals nothing (ASVS 6.3.8).
  verifySync(DUMMY, password)
  return { ok: false, rehash: false }
}

// On Linux, 0 means the calling thread, which has its own priority. Elsewhere it would be the whole process.
if (process.platform === 'linux') setPriority(19)

parentPort?.on('message', (job: Job | 'close') => {
  if (job === 'close') return parentPort?.close()
  let reply: Reply
  try {
    reply = { done: job.kind === 'hash' ? hashSync(job.password, OPTIONS) : verify(job.hash, job.password) }
  } catch (error) {
    // Only the kind of error is passed on: the message could contain the password.
    reply = { failed: error instanceof Error ? error.name : 'unknown' }
  }
  parentPort?.postMessage(reply)
})
