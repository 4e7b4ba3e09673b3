import { availableParallelism, totalmem } from 'node:os'

const MIB = 2 ** 20
/** What one hash of our own parameters takes while it runs. */
export const HASH_MEMORY_MIB = 19
/** What the most expensive foreign hash takes that is still verified: `foreign-hashes.ts`, `passwords.worker.ts`. */
export const MAX_HASH_MEMORY_MIB = 256
/** A thread without its hash, measured: 25 MiB. */
const THREAD_MEMORY_MIB = 25
/** The service without its threads, measured: 130 MiB at rest. */
const PROCESS_MEMORY_MIB = 160

export interface Machine {
  cores: number
  /** Bytes that all processes of the service may use. */
  memory: number
}

/** The cores, and the memory of the container or, where nothing limits it, of the machine. */
export function thisMachine(): Machine {
  const limit = process.constrainedMemory() // 0 or an absurd number where there is none
  return { cores: availableParallelism(), memory: limit > 0 ? Math.min(limit, totalmem()) : totalmem() }
}

/**
 * How many threads of one process hash passwords, and how much memory their hashes may use at once. By default a thread
 * per core, as far as the memory reaches: cores are the node's in a container, memory is the container's.
 *
 * @param setting `HASH_THREADS`: threads of all processes together
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

/** What verifying a hash takes while it runs, in MiB. What is too expensive to be verified costs what a hash of ours does. */
export function hashMemoryMib(hash: string | null): number {
  const kib = Number(/^\$argon2\w{1,2}\$(?:v=\d+\$)?m=(\d{1,9})/.exec(hash ?? '')?.[1] ?? 0)
  const [, ln, r] = /^\$(?:firebase-)?scrypt\$ln=(\d{1,2}),r=(\d{1,2})/.exec(hash ?? '') ?? []
  const mib = Math.max(kib / 1024, ln ? (128 * Number(r) * 2 ** Number(ln)) / MIB : 0)
  return mib > HASH_MEMORY_MIB && mib <= MAX_HASH_MEMORY_MIB ? Math.ceil(mib) : HASH_MEMORY_MIB
}
