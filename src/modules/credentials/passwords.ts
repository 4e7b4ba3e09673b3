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
  /** The password is correct, but `hash` would now create another kind of hash: replace it. */
  rehash: boolean
}

export type Passwords = ReturnType<typeof createPasswords>

export interface PasswordsOptions {
  /** Default: one per core. */
  threads?: number
  /** Memory for hashes that run at the same time, in MiB. Default: unlimited. */
  memoryMib?: number
  /**
   * How many tasks may wait without priority, and as many with it. The default is a wait of about 0.3 s at 9 ms per
   * hash, or twice that without priority while the priority part is full.
   */
  queueLimit?: number
}

interface Task {
  job: Job
  /** MiB needed while the task runs. */
  memoryMib: number
  resolve: (result: unknown) => void
  reject: (error: Error) => void
}

/**
 * Hashes and verifies passwords in worker threads of the lowest priority behind a bounded, fair queue
 * (docs/decisions/0006). Threads start at first use and keep the process alive only while they work. Passwords are
 * compared in NFC (NIST SP 800-63B-4, 3.1.1.2).
 */
export function createPasswords({
  threads = availableParallelism(),
  memoryMib = Number.POSITIVE_INFINITY,
  queueLimit = 32 * threads,
}: PasswordsOptions = {}) {
  const waiting = createFairQueue<Task>(
    () => queueLimit,
    ({ reject }) => reject(new AppError(kernelErrors.overloaded, { retryAfter: 1 })),
  )
  const running = new Map<Worker, Task | undefined>()
  let closed: Promise<void> | undefined
  let idle = () => {}

  function start(): Worker {
    // Worker threads do not accept all flags of the main thread.
    const worker = new Worker(new URL('./passwords.worker.ts', import.meta.url), { execArgv: [] })
    worker.on('message', (reply: Reply) => {
      if ('done' in reply) finish(worker)?.resolve(reply.done)
      else finish(worker)?.reject(new Error(`Password hashing failed: ${reply.failed}`))
      next()
    })
    // An unhandled 'error' would end the process. 'exit' always follows it and rejects the task.
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

  /** Returns whether the memory suffices for one more task. Otherwise it waits until a running one is done. */
  const fits = (task: Task) => tasks().reduce((sum, other) => sum + other.memoryMib, task.memoryMib) <= memoryMib

  function run(job: Job, options: QueueOptions, needed = HASH_MEMORY_MIB): Promise<unknown> {
    if (closed) return Promise.reject(new AppError(kernelErrors.shutting_down, { retryAfter: 1 }))
    if (needed > memoryMib) {
      const cause = new Error(`Verifying this hash takes ${needed} MiB, and the hashing threads have ${memoryMib} MiB`)
      return Promise.reject(new AppError(kernelErrors.overloaded, { retryAfter: 60, cause }))
    }
    return new Promise((resolve, reject) => {
      waiting.push({ job, memoryMib: needed, resolve, reject }, options)
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
     * Returns an argon2id hash of the password as a PHC string.
     * @throws AppError `overloaded` when the queue is full, `shutting_down` after `close`
     */
    hash: (password: string, options: QueueOptions = {}) =>
      run({ kind: 'hash', password: password.normalize('NFC') }, options) as Promise<string>,

    /**
     * Verifies a password against a hash of `hash` or of a format listed in `foreign-hashes.ts`. Null (no account) and
     * unknown formats take as long as a wrong password.
     * @throws AppError as `hash` does
     */
    verify: async (hash: string | null, password: string, options: QueueOptions = {}) =>
      run(
        { kind: 'verify', hash, password: password.normalize('NFC') },
        options,
        hashMemoryMib(hash),
      ) as Promise<Verification>,

    /** Returns whether a task without priority would be refused with `overloaded`. */
    wouldRefuse: (key: string) => waiting.wouldRefuse(key),

    /** The number of running and waiting tasks. */
    get pending() {
      return pending()
    },

    /** Accepts no new tasks, finishes the accepted ones and ends the threads. */
    close: () => (closed ??= close()),
  }
}
