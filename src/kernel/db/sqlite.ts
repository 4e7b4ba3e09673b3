import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite, { type Statement } from 'better-sqlite3'
import { Kysely, SqliteDialect } from 'kysely'
import type { Database } from './database.ts'
import { DatabaseError } from './errors.ts'
import type { Tables } from './schema.ts'

/** How long a write waits for another process to finish its own, in milliseconds. It blocks the thread meanwhile. */
const BUSY_TIMEOUT = 2000
const STATEMENTS_KEPT = 500

/**
 * Opens an SQLite file with two connections: one writes, through Kysely, one transaction at a time; the other only reads
 * what is committed. Every commit is on the disk before it is acknowledged (`synchronous=FULL`).
 * Throws DatabaseError when the file cannot be made, opened or is no database.
 */
export function openSqlite(file: string): Database {
  try {
    mkdirSync(dirname(file), { recursive: true })
    const writer = connect(file, false)
    const reader = connect(file, true)
    return databaseOver(writer, reader)
  } catch (error) {
    throw new DatabaseError(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error })
  }
}

function connect(file: string, readonly: boolean): BetterSqlite.Database {
  const connection = new BetterSqlite(file, { readonly, timeout: BUSY_TIMEOUT })
  if (!readonly) connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection.pragma('foreign_keys = ON')
  connection.pragma('cache_size = -32768')
  connection.pragma('temp_store = MEMORY')
  for (const [name, expected] of [
    ['journal_mode', 'wal'],
    ['synchronous', 2],
    ['foreign_keys', 1],
    ['busy_timeout', BUSY_TIMEOUT],
  ] as const) {
    const actual = connection.pragma(name, { simple: true })
    if (actual !== expected) throw new Error(`PRAGMA ${name} is ${actual}, not ${expected}`)
  }
  return connection
}

function databaseOver(writer: BetterSqlite.Database, reader: BetterSqlite.Database): Database {
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({
      database: { close: () => writer.close(), prepare: cachedStatements(writer) },
    }),
  })
  const readStatements = cachedStatements(reader)
  const version = reader.prepare('PRAGMA data_version').pluck()
  return {
    engine: 'sqlite',
    db,
    transaction: (work) => db.transaction().execute(work),
    first: (query, params) => {
      const { sql, names } = query.compiled(db)
      return readStatements(sql).get(names.map((name) => params[name])) as never
    },
    dataVersion: () => version.get() as number,
    ping: async () => {
      reader.prepare('select 1').get()
    },
    close: async () => {
      reader.close()
      await db.destroy()
      if (writer.open) writer.close() // Kysely closes only what it has used.
    },
  }
}

/** Prepares each SQL text once. Booleans, which SQLite has not, are bound as 0 and 1. */
function cachedStatements(connection: BetterSqlite.Database) {
  const cache = new Map<string, CachedStatement>()
  return (text: string): CachedStatement => {
    const known = cache.get(text)
    if (known) return known
    // A transaction that will write takes the lock at once: a later upgrade could fail with SQLITE_BUSY at any statement.
    const statement = connection.prepare(text === 'begin' ? 'begin immediate' : text)
    const cached: CachedStatement = {
      reader: statement.reader,
      get: (values) => statement.get(bindable(values)),
      all: (values) => statement.all(bindable(values)),
      run: (values) => statement.run(bindable(values)),
      iterate: (values) => connection.prepare(text).iterate(bindable(values)) as IterableIterator<unknown>,
    }
    if (cache.size >= STATEMENTS_KEPT) cache.delete(cache.keys().next().value as string)
    cache.set(text, cached)
    return cached
  }
}

interface CachedStatement {
  readonly reader: boolean
  get(values: readonly unknown[]): unknown
  all(values: readonly unknown[]): unknown[]
  run(values: readonly unknown[]): ReturnType<Statement['run']>
  iterate(values: readonly unknown[]): IterableIterator<unknown>
}

const bindable = (values: readonly unknown[]): unknown[] =>
  values.map((value) => (typeof value === 'boolean' ? Number(value) : value))
