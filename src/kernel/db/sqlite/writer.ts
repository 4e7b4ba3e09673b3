import { setTimeout as pause } from 'node:timers/promises'
import type { Database as Connection } from 'better-sqlite3'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import type { Statements } from './statements.ts'

/** For this long after lock contention with another process, writes pause in between so that it gets the lock, in ms. */
const CONTENTION_MS = 1000
const CONTENTION_PAUSE_MS = 2
/** Maximum number of waiting writes; more would time out anyway. */
const MAX_WAITING = 200

/** A write in progress. Exactly one of its functions must be called, and the next write begins then. */
export interface Write {
  /** Resolves when the write is on the disk. Throws the error of the flush. */
  commit(): Promise<void>
  /** Reverts the write. Resolves when the writes that it may have seen are on the disk, or are not going to be. */
  rollback(): Promise<void>
}

/** Writes that share a transaction of SQLite, and thereby one flush. */
interface Group {
  flushed: PromiseWithResolvers<void>
  /** The turn of the event loop is over: the group takes no further writes. */
  isDue: boolean
}

/**
 * Runs one write at a time, first come, first served. Writes of one turn of the event loop are committed together, each
 * in a savepoint of its own; none is reported before the flush.
 * @param lockWait maximum wait for the queue and the lock, in ms
 * @see docs/decisions/0033-group-commit.md
 */
export function createWriter(connection: Connection, statements: Statements, lockWait: number) {
  const waiting: (() => void)[] = []
  let isBusy = false
  let group: Group | undefined
  let lastContention = Number.NEGATIVE_INFINITY
  const run = (sql: string) => statements(sql).run([])

  /** Begins a write. Throws AppError `overloaded`, or an error that is `isUnavailable` if there is no lock in time. */
  async function begin(): Promise<Write> {
    const deadline = await enter()
    try {
      group ??= await open(deadline)
      run('savepoint one')
    } catch (error) {
      // Otherwise the next write would begin a transaction that no group commits.
      if (group && !connection.inTransaction) lose(rolledBack())
      leave()
      throw error
    }
    return { commit: () => end(true), rollback: () => end(false) }
  }

  /** Runs a statement that cannot be part of a transaction, such as a PRAGMA. */
  async function runAlone<T>(work: () => T): Promise<T> {
    const deadline = await enter()
    try {
      if (group) flush(group)
      return await retryUntil(deadline, work)
    } finally {
      leave()
    }
  }

  /** Waits for the other writes. Returns the deadline for the lock. */
  async function enter(): Promise<number> {
    if (waiting.length >= MAX_WAITING) throw new AppError(kernelErrors.overloaded, { retryAfter: 1 })
    const deadline = performance.now() + lockWait
    if (isBusy) await new Promise<void>((next) => waiting.push(next))
    isBusy = true
    if (performance.now() < deadline) return deadline
    leave()
    throw Object.assign(new Error('the database is busy with other writes'), { code: 'SQLITE_BUSY' })
  }

  function leave(): void {
    if (group?.isDue) flush(group)
    if (!group && performance.now() - lastContention < CONTENTION_MS) setTimeout(next, CONTENTION_PAUSE_MS)
    else next()
  }

  function next(): void {
    const enterNext = waiting.shift()
    if (enterNext) enterNext()
    else isBusy = false
  }

  async function open(deadline: number): Promise<Group> {
    // Takes the write lock now: a later upgrade could fail at any statement.
    await retryUntil(deadline, () => run('begin immediate'))
    const opened: Group = { flushed: Promise.withResolvers<void>(), isDue: false }
    opened.flushed.promise.catch(() => {}) // Reported by each of its writes, unless all were reverted.
    setImmediate(() => {
      opened.isDue = true
      if (opened === group && !isBusy) flush(opened)
    })
    return opened
  }

  async function end(isCommit: boolean): Promise<void> {
    const { flushed } = group as Group
    try {
      // After some errors, such as a full disk, SQLite has reverted the whole transaction.
      if (!connection.inTransaction) lose(rolledBack())
      else {
        if (!isCommit) run('rollback to one')
        run('release one')
      }
    } catch (error) {
      lose(error as Error)
    }
    leave()
    await (isCommit ? flushed.promise : flushed.promise.catch(() => {}))
  }

  /** Commits a group: SQLite waits until it is on the disk (`synchronous=FULL`). */
  function flush({ flushed }: Group): void {
    try {
      run('commit')
      group = undefined
      flushed.resolve()
    } catch (error) {
      lose(error as Error)
    }
  }

  /** Reports the loss of a group to its writes. */
  function lose(error: Error): void {
    const lost = group
    group = undefined
    try {
      if (connection.inTransaction) run('rollback')
    } catch {
      // The next `begin immediate` reports what is wrong with the database.
    }
    lost?.flushed.reject(error)
  }

  /** Retries synchronous work while another process holds the lock. */
  async function retryUntil<T>(deadline: number, work: () => T): Promise<T> {
    for (let tries = 0; ; tries++) {
      try {
        return work()
      } catch (error) {
        const now = performance.now()
        if (!(error as { code?: string }).code?.startsWith('SQLITE_BUSY') || now >= deadline) throw error
        lastContention = now
        await pause(Math.min(1 + tries / 10, 10))
      }
    }
  }

  return { begin, runAlone }
}

const rolledBack = () =>
  Object.assign(new Error('SQLite rolled back the transaction because of an error of another write'), {
    code: 'SQLITE_IOERR',
  })
