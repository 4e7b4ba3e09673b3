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
import type { ReadQuery } from './reader.ts'
import type { Statements } from './statements.ts'
import { createWriter, type Write } from './writer.ts'

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

function createDriver(connection: Connection, write: Statements, read: Statements, lockWait: number): Driver {
  const writer = createWriter(connection, write, lockWait)
  const transactions = new WeakMap<DatabaseConnection, Write>()

  const connect = (): DatabaseConnection => {
    const self: DatabaseConnection = {
      async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
        if (transactions.has(self)) return execute(write, query)
        if (SelectQueryNode.is(query.query)) return execute(read, query)
        if (RawNode.is(query.query)) return writer.runAlone(() => execute<R>(write, query))
        return runWrite(() => execute<R>(write, query))
      },
      async *streamQuery<R>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
        for (const row of read(sql).iterate(parameters)) yield { rows: [row as R] }
      },
    }
    return self
  }

  async function runWrite<T>(work: () => T): Promise<T> {
    const one = await writer.begin()
    let result: T
    try {
      result = work()
    } catch (error) {
      await one.rollback()
      throw error
    }
    await one.commit()
    return result
  }

  const end = (self: DatabaseConnection, how: 'commit' | 'rollback') => {
    const transaction = transactions.get(self)
    transactions.delete(self)
    return transaction?.[how]()
  }

  return {
    init: async () => {},
    acquireConnection: async () => connect(),
    beginTransaction: async (self) => void transactions.set(self, await writer.begin()),
    commitTransaction: async (self) => end(self, 'commit'),
    rollbackTransaction: async (self) => end(self, 'rollback'),
    releaseConnection: async (self) => end(self, 'rollback'),
    destroy: () => writer.runAlone(() => void connection.close()), // After the writes before it.
  }
}

function execute<R>(statements: Statements, { sql, parameters }: CompiledQuery): QueryResult<R> {
  const statement = statements(sql)
  if (statement.reader) return { rows: statement.all(parameters) as R[] }
  const { changes, lastInsertRowid } = statement.run(parameters)
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
}
