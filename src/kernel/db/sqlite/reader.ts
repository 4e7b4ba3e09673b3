import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Deadlines } from '../../config/deadlines.ts'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { MINUTE } from '../../lib/clock.ts'

export interface ReadQuery {
  sql: string
  parameters: readonly unknown[]
}
export type ReadAnswer = { rows: unknown[] } | { failed: { code: string; message: string } }

const MAX_READERS = 2
const MAX_WAITING_READS = 100
/** How long an idle reader process is kept, in milliseconds. */
const IDLE_MS = MINUTE
const PROGRAM = fileURLToPath(new URL('./reader.process.ts', import.meta.url))

interface Task extends ReadQuery {
  resolve(rows: unknown[]): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

/**
 * Runs selects on an SQLite file in separate processes, which are started on demand. A read that exceeds its deadline
 * is interrupted by killing its process.
 * @see docs/decisions/0020-reading-process.md
 */
export function createSqliteReader(file: string, deadlines: Pick<Deadlines, 'lock' | 'statement'>) {
  const waiting: Task[] = []
  /** Running processes with their current task. A killed process counts until it has exited. */
  const readers = new Map<ChildProcess, Task | null>()
  let isClosed = false

  /**
   * Runs a select. Throws AppError `overloaded` if no process is free in time, `deadline_exceeded` if the select takes
   * too long, `shutting_down`, or `database_unavailable` if the process fails.
   */
  function run(query: ReadQuery): Promise<unknown[]> {
    if (isClosed) return Promise.reject(new AppError(kernelErrors.shutting_down, { retryAfter: 1 }))
    if (waiting.length >= MAX_WAITING_READS)
      return Promise.reject(new AppError(kernelErrors.overloaded, { retryAfter: 1 }))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(task), 1)
        reject(new AppError(kernelErrors.overloaded, { retryAfter: 1, detail: 'Too many long-running reads.' }))
      }, deadlines.lock)
      const task: Task = { ...query, resolve, reject, timer }
      waiting.push(task)
      next()
    })
  }

  function next(): void {
    while (waiting.length > 0) {
      const reader = acquireReader()
      if (!reader) return
      const task = waiting.shift() as Task
      clearTimeout(task.timer)
      task.timer = setTimeout(() => {
        finish(reader)?.reject(new AppError(kernelErrors.deadline_exceeded, { retryAfter: 1 }))
        reader.kill('SIGKILL')
      }, deadlines.statement)
      readers.set(reader, task)
      setReferenced(reader, true)
      reader.send({ sql: task.sql, parameters: task.parameters }, () => {}) // After a failure, 'exit' follows.
    }
  }

  /** Returns a free reader. If none can be started, rejects the next waiting task. */
  function acquireReader(): ChildProcess | undefined {
    try {
      return freeReader()
    } catch (cause) {
      const task = waiting.shift()
      clearTimeout(task?.timer)
      task?.reject(new AppError(kernelErrors.database_unavailable, { retryAfter: 1, cause }))
      return undefined
    }
  }

  function freeReader(): ChildProcess | undefined {
    for (const [reader, task] of readers) if (!task && !reader.killed) return reader
    if (readers.size < MAX_READERS) return start()
  }

  function start(): ChildProcess {
    // Without the environment, which contains secrets, and without the flags of this process.
    const reader = fork(PROGRAM, [file], {
      env: {},
      execArgv: ['--disable-sigusr1'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    readers.set(reader, null)
    const idle = setInterval(() => readers.get(reader) ?? reader.kill('SIGKILL'), IDLE_MS).unref()
    reader.on('message', (answer: ReadAnswer) => {
      const task = finish(reader)
      if ('rows' in answer) task?.resolve(answer.rows)
      else task?.reject(Object.assign(new Error(answer.failed.message), { code: answer.failed.code }))
      idle.refresh()
      next()
    })
    const end = (cause: unknown) => {
      clearInterval(idle)
      finish(reader)?.reject(new AppError(kernelErrors.database_unavailable, { retryAfter: 1, cause }))
      readers.delete(reader)
      next()
    }
    reader.on('error', (error) => (reader.pid === undefined ? end(error) : reader.kill('SIGKILL')))
    reader.once('exit', (status, signal) => end(new Error(`a reading process ended (${signal ?? status})`)))
    return reader
  }

  function finish(reader: ChildProcess): Task | null {
    const task = readers.get(reader) ?? null
    if (!task) return null
    clearTimeout(task.timer)
    readers.set(reader, null)
    setReferenced(reader, false)
    return task
  }

  /** Kills the readers, which have no state to save, and rejects waiting tasks. */
  async function close(): Promise<void> {
    isClosed = true
    for (const task of waiting.splice(0)) {
      clearTimeout(task.timer)
      task.reject(new AppError(kernelErrors.shutting_down, { retryAfter: 1 }))
    }
    await Promise.all(
      [...readers.keys()].map(async (reader) => {
        if (reader.pid === undefined) return
        setReferenced(reader, true)
        const gone = once(reader, 'exit')
        reader.kill('SIGKILL')
        await gone
      }),
    )
  }

  return {
    run,
    close,
    /** Returns the ids of the reader processes. */
    pids: () => [...readers.keys()].map(({ pid }) => pid),
  }
}

/** Lets a reader keep this process alive, or not: only while it runs a task. */
function setReferenced(reader: ChildProcess, isReferenced: boolean): void {
  if (isReferenced) {
    reader.ref()
    reader.channel?.ref()
  } else {
    reader.unref()
    reader.channel?.unref()
  }
}
