import { availableParallelism, totalmem } from 'node:os'

const MIB = 2 ** 20
/** Memory of one hash with the current parameters. */
export const HASH_MEMORY_MIB = 19
/** Memory of the most expensive hash that is still verified: `foreign-hashes.ts`, `passwords.worker.ts`. */
export const MAX_HASH_MEMORY_MIB = 256
/** A thread without its hash. Measured: 25 MiB. */
const THREAD_MEMORY_MIB = 25
/** The service without its threads. Measured: 130 MiB at rest. */
const PROCESS_MEMORY_MIB = 160

export interface Machine {
  cores: number
  /** Bytes available to all processes of the service together. */
  memory: number
}

/** Returns the number of cores, and the memory limit of the container or the memory of the machine. */
export function thisMachine(): Machine {
  const limit = process.constrainedMemory() // 0 or a huge number without a limit
  return { cores: availableParallelism(), memory: limit > 0 ? Math.min(limit, totalmem()) : totalmem() }
}

/**
 * Returns how many threads hash passwords in one process, and how much memory their hashes may use at once. `auto` is a
 * thread per core as far as the memory allows: a container sees all cores of its host, but has its own memory limit.
 * @param setting `HASH_THREADS`: threads of all processes together
 * @see docs/decisions/0006
 */
export function hashThreads(
  setting: number | 'auto',
  workers: number,
  { cores, memory }: Machine = thisMachine(),
): { threads: number; memoryMib: number } {
  const free = memory / MIB / workers - PROCESS_MEMORY_MIB
  const affordable = Math.min(
    free / (THREAD_MEMORY_MIB + HASH_MEMORY_MIB),
    (free - MAX_HASH_MEMORY_MIB) / THREAD_MEMORY_MIB,
  )
  const share = Math.ceil((setting === 'auto' ? cores : setting) / workers)
  const threads = setting === 'auto' ? Math.max(1, Math.min(share, Math.floor(affordable))) : share
  return { threads, memoryMib: Math.max(HASH_MEMORY_MIB, Math.floor(free - threads * THREAD_MEMORY_MIB)) }
}

/**
 * Returns the memory that verifying a hash needs, in MiB. Hashes above the limit are replaced by a dummy hash of the
 * current parameters, so they need as much as that.
 */
export function hashMemoryMib(hash: string | null): number {
  const kib = Number(/^\$argon2\w{1,2}\$(?:v=\d+\$)?m=(\d{1,9})/.exec(hash ?? '')?.[1] ?? 0)
  const [, ln, r] = /^\$(?:firebase-)?scrypt\$ln=(\d{1,2}),r=(\d{1,2})/.exec(hash ?? '') ?? []
  const mib = Math.max(kib / 1024, ln ? (128 * Number(r) * 2 ** Number(ln)) / MIB : 0)
  return mib > HASH_MEMORY_MIB && mib <= MAX_HASH_MEMORY_MIB ? Math.ceil(mib) : HASH_MEMORY_MIB
}
