import { setTimeout as pause } from 'node:timers/promises'
import type { Database as Connection } from 'better-sqlite3'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  RawNode,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import type { ReadQuery } from './reader.ts'
import type { Statements } from './statements.ts'

/** For this long after lock contention with another process, writes pause in between so that it gets the lock, in ms. */
const CONTENTION_MS = 1000
const CONTENTION_PAUSE_MS = 2
/** Maximum number of waiting writes; more would time out anyway. */
const MAX_WAITING = 200

/**
 * Kysely dialect over two connections. Selects outside of transactions use `read` and never wait for writes. Writes and
 * transactions are queued; they wait for locks without blocking the thread, and after `lockWait` ms fail with
 * SQLITE_BUSY.
 */
export function sqliteDialect(writer: Connection, write: Statements, read: Statements, lockWait: number): Dialect {
  return {
    createAdapter: () => new Adapter(),
    createDriver: () => createDriver(writer, write, read, lockWait),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** Kysely dialect over a function that runs a select and returns its rows; refuses writes and transactions. */
export function readDialect(read: (query: ReadQuery) => Promise<unknown[]>): Dialect {
  const refuse = async () => {
    throw new Error('a connection for reads takes no transaction')
  }
  const connection: DatabaseConnection = {
    async executeQuery<R>({ query, sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      if (!SelectQueryNode.is(query) && !RawNode.is(query)) throw new Error('a connection for reads takes selects only')
      return { rows: (await read({ sql, parameters })) as R[] }
    },
    streamQuery: () => {
      throw new Error('a connection for reads gives all rows at once: ask for a page')
    },
  }
  return {
    createAdapter: () => new Adapter(),
    createDriver: () => ({
      init: async () => {},
      acquireConnection: async () => connection,
      beginTransaction: refuse,
      commitTransaction: refuse,
      rollbackTransaction: refuse,
      releaseConnection: async () => {},
      destroy: async () => {},
    }),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

class Adapter extends SqliteAdapter {
  /** The driver queues writes itself. */
  override get supportsMultipleConnections() {
    return true
  }
}

function createDriver(writer: Connection, write: Statements, read: Statements, lockWait: number): Driver {
  const writes = createWriteQueue(lockWait)
  const inTransaction = new WeakSet<DatabaseConnection>()

  const connect = (): DatabaseConnection => {
    const connection: DatabaseConnection = {
      async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
        if (inTransaction.has(connection)) return execute(write, query)
        if (SelectQueryNode.is(query.query)) return execute(read, query)
        return writes.run((retryWhileBusy) => retryWhileBusy(() => execute<R>(write, query)))
      },
      async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
        for (const row of read(sql).iterate(parameters)) yield { rows: [row as R] }
      },
    }
    return connection
  }

  const ends = new WeakMap<DatabaseConnection, () => void>()
  const end = (connection: DatabaseConnection) => {
    inTransaction.delete(connection)
    ends.get(connection)?.()
    ends.delete(connection)
  }
  const rollback = (connection: DatabaseConnection) => {
    if (!inTransaction.has(connection)) return
    try {
      if (writer.inTransaction) write('rollback').run([]) // A full disk may have ended it already.
    } finally {
      end(connection)
    }
  }

  return {
    init: async () => {},
    acquireConnection: async () => connect(),
    beginTransaction: (connection) =>
      new Promise<void>((begun, failed) => {
        writes
          .run(async (retryWhileBusy) => {
            // Take the write lock now: a later upgrade could fail at any statement.
            await retryWhileBusy(() => write('begin immediate').run([]))
            inTransaction.add(connection)
            await new Promise<void>((ended) => {
              ends.set(connection, ended)
              begun()
            })
          })
          .catch(failed)
      }),
    commitTransaction: async (connection) => {
      write('commit').run([])
      end(connection)
    },
    rollbackTransaction: async (connection) => rollback(connection),
    releaseConnection: async (connection) => rollback(connection),
    destroy: async () => void writer.close(),
  }
}

function execute<R>(statements: Statements, { sql, parameters }: CompiledQuery): QueryResult<R> {
  const statement = statements(sql)
  if (statement.reader) return { rows: statement.all(parameters) as R[] }
  const { changes, lastInsertRowid } = statement.run(parameters)
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
}

/** Retries synchronous work while another process holds the lock, until a deadline. */
type RetryWhileBusy = <T>(work: () => T) => Promise<T>

/** Runs one writer at a time, first come, first served. `lockWait` includes the time in the queue. */
function createWriteQueue(lockWait: number) {
  const waiting: (() => void)[] = []
  let isBusy = false
  let lastContention = Number.NEGATIVE_INFINITY

  const next = () => {
    const enter = waiting.shift()
    if (enter) enter()
    else isBusy = false
  }

  const retryUntil =
    (deadline: number): RetryWhileBusy =>
    async (work) => {
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

  return {
    async run<T>(work: (retryWhileBusy: RetryWhileBusy) => Promise<T>): Promise<T> {
      if (waiting.length >= MAX_WAITING) throw new AppError(kernelErrors.overloaded, { retryAfter: 1 })
      const deadline = performance.now() + lockWait
      if (isBusy) await new Promise<void>((enter) => waiting.push(enter))
      isBusy = true
      try {
        if (performance.now() >= deadline)
          throw Object.assign(new Error('the database is busy with other writes'), { code: 'SQLITE_BUSY' })
        return await work(retryUntil(deadline))
      } finally {
        if (performance.now() - lastContention < CONTENTION_MS) setTimeout(next, CONTENTION_PAUSE_MS)
        else next()
      }
    },
  }
}
