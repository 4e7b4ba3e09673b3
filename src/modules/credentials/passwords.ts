import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { createFairQueue, type QueueOptions } from '../../kernel/lib/fair-queue.ts'
import { HASH_MEMORY_MIB, hashMemoryMib } from './hash-threads.ts'

export type Job = { kind: 'hash'; password: string } | { kind: 'verify'; hash: string | null; password: string }
export type Reply = { done: unknown } | { failed: string }

export interface Verification {
  ok: boolean
  /** The password is right, and its hash is of another kind or other parameters than `hash` makes now: replace it. */
  rehash: boolean
}

export type Passwords = ReturnType<typeof createPasswords>

export interface PasswordsOptions {
  /** One per core by default. */
  threads?: number
  /** How much memory the hashes that run at once may use, in MiB. Unlimited by default. */
  memoryMib?: number
  /**
   * How many may wait, and as many more with priority. The default is a wait of about 0.3 s, at 9 ms a hash, and twice
   * that for those without priority while the others fill their part.
   */
  queueLimit?: number
}

interface Task {
  job: Job
  /** What it takes while it runs. */
  memoryMib: number
  resolve: (result: unknown) => void
  reject: (error: Error) => void
}

/**
 * Hashes and verifies passwords in threads of the lowest priority, fed by one bounded queue: a storm of logins takes
 * the time that nobody else wants, and never libuv's thread pool, which files, DNS and `node:crypto` share. In the queue
 * lanes take turns (`fair-queue.ts`): whoever fills one makes nobody else wait.
 *
 * Passwords are compared in NFC: the same letters typed on another keyboard are the same password (NIST SP 800-63B-4,
 * 3.1.1.2). The threads start at the first use, and keep the process alive only while they work.
 */
export function createPasswords({
  threads = availableParallelism(),
  memoryMib = Number.POSITIVE_INFINITY,
  queueLimit = 32 * threads,
}: PasswordsOptions = {}) {
  const waiting = createFairQueue<Task>(queueLimit, ({ reject }) =>
    reject(new AppError(kernelErrors.overloaded, { retryAfter: 1 })),
  )
  const running = new Map<Worker, Task | undefined>()
  let closed: Promise<void> | undefined
  let idle = () => {}

  function start(): Worker {
    // Without the flags of the main thread, some of which no thread accepts.
    const worker = new Worker(new URL('./passwords.worker.ts', import.meta.url), { execArgv: [] })
    worker.on('message', (reply: Reply) => {
      if ('done' in reply) finish(worker)?.resolve(reply.done)
      else finish(worker)?.reject(new Error(`Password hashing failed: ${reply.failed}`))
      next()
    })
    // Unheard, 'error' would end the process; 'exit' always follows it and tells the caller.
    let cause: unknown
    worker.on('error', (error) => (cause = error))
    worker.on('exit', () => {
      finish(worker)?.reject(new Error('A password thread died', { cause }))
      running.delete(worker)
      next()
    })
    return worker
  }

  function finish(worker: Worker): Task | undefined {
    const task = running.get(worker)
    running.set(worker, undefined)
    worker.unref()
    return task
  }

  function freeWorker(): Worker | undefined {
    for (const [worker, task] of running) if (!task) return worker
    if (running.size < threads) return start()
  }

  function next(): void {
    for (let task = waiting.peek(); task && fits(task); task = waiting.peek()) {
      let worker: Worker | undefined
      try {
        worker = freeWorker()
      } catch (cause) {
        waiting.shift()
        task.reject(new Error('No password thread could be started', { cause }))
        continue
      }
      if (!worker) return
      waiting.shift()
      running.set(worker, task)
      worker.ref()
      worker.postMessage(task.job)
    }
    if (pending() === 0) idle()
  }

  const tasks = () => [...running.values()].filter((task) => task !== undefined)
  const pending = () => waiting.size + tasks().length

  /** Whether the memory reaches for one more: if not, it waits until one of those that run is done. */
  const fits = (task: Task) => tasks().reduce((sum, other) => sum + other.memoryMib, task.memoryMib) <= memoryMib

  function run(job: Job, turn: QueueOptions, needed = HASH_MEMORY_MIB): Promise<unknown> {
    if (closed) return Promise.reject(new AppError(kernelErrors.shutting_down, { retryAfter: 1 }))
    if (needed > memoryMib) {
      const cause = new Error(`Verifying this hash takes ${needed} MiB, and the hashing threads have ${memoryMib} MiB`)
      return Promise.reject(new AppError(kernelErrors.overloaded, { retryAfter: 60, cause }))
    }
    return new Promise((resolve, reject) => {
      waiting.push({ job, memoryMib: needed, resolve, reject }, turn)
      next()
    })
  }

  async function close(): Promise<void> {
    if (pending() > 0) await new Promise<void>((resolve) => (idle = resolve))
    for (const worker of running.keys()) {
      const exited = new Promise((resolve) => worker.once('exit', resolve))
      worker.ref()
      worker.postMessage('close')
      await exited
    }
  }

  return {
    /**
     * An argon2id hash of the password, as a PHC string.
     *
     * @throws AppError `overloaded` when the queue has no place for it, `shutting_down` after `close`
     */
    hash: (password: string, turn: QueueOptions = {}) =>
      run({ kind: 'hash', password: password.normalize('NFC') }, turn) as Promise<string>,

    /**
     * Whether the password belongs to the hash: one of `hash`, or any that `foreign-hashes.ts` lists. Null (no such
     * account) and unknown formats take the same work as a wrong password.
     *
     * @throws AppError as `hash` does
     */
    verify: async (hash: string | null, password: string, turn: QueueOptions = {}) =>
      run(
        { kind: 'verify', hash, password: password.normalize('NFC') },
        turn,
        hashMemoryMib(hash),
      ) as Promise<Verification>,

    /** How many are running or waiting. */
    get pending() {
      return pending()
    },

    /** Takes nothing new, finishes what was taken, and ends the threads. */
    close: () => (closed ??= close()),
  }
}
