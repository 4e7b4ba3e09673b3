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
/** A reader that nobody has asked for so long ends, in milliseconds. */
const IDLE_MS = MINUTE
const PROGRAM = fileURLToPath(new URL('./reader.process.ts', import.meta.url))

interface Task extends ReadQuery {
  resolve(rows: unknown[]): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

/**
 * Runs reads of an SQLite file outside of this process, so that a long one holds up nobody else, and one that is too long
 * is interrupted: its process is killed. Decision 20 tells why it is a process. Readers are started when they are first
 * needed, and each read sees everything that was committed before it began.
 */
export function createSqliteReader(file: string, deadlines: Pick<Deadlines, 'lock' | 'statement'>) {
  const waiting: Task[] = []
  /** Every reader that lives, with what it reads just now. One that was killed counts until it is gone. */
  const readers = new Map<ChildProcess, Task | null>()
  let isClosed = false

  /** Throws AppError `overloaded` when no reader is free in time, `deadline_exceeded` when the read takes too long. */
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
      const reader = reachable()
      if (!reader) return
      const task = waiting.shift() as Task
      clearTimeout(task.timer)
      task.timer = setTimeout(() => {
        finish(reader)?.reject(new AppError(kernelErrors.deadline_exceeded, { retryAfter: 1 }))
        reader.kill('SIGKILL')
      }, deadlines.statement)
      readers.set(reader, task)
      setAwake(reader, true)
      reader.send({ sql: task.sql, parameters: task.parameters }, () => {}) // Where it fails, 'exit' follows.
    }
  }

  /** A free reader; where none can be started, the reads that wait fail one after another. */
  function reachable(): ChildProcess | undefined {
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
    // With nothing of the environment, which has secrets in it, and without the flags of this process.
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
    setAwake(reader, false)
    return task
  }

  /** Ends the readers, at once: nothing of theirs is kept. */
  async function close(): Promise<void> {
    isClosed = true
    for (const task of waiting.splice(0)) {
      clearTimeout(task.timer)
      task.reject(new AppError(kernelErrors.shutting_down, { retryAfter: 1 }))
    }
    await Promise.all(
      [...readers.keys()].map(async (reader) => {
        if (reader.pid === undefined) return
        setAwake(reader, true)
        const gone = once(reader, 'exit')
        reader.kill('SIGKILL')
        await gone
      }),
    )
  }

  return {
    run,
    close,
    /** The ids of the processes that read now or wait for something to read. */
    pids: () => [...readers.keys()].map(({ pid }) => pid),
  }
}

/** A reader keeps this process alive only while it works for it. */
function setAwake(reader: ChildProcess, isAwake: boolean): void {
  if (isAwake) {
    reader.ref()
    reader.channel?.ref()
  } else {
    reader.unref()
    reader.channel?.unref()
  }
}
