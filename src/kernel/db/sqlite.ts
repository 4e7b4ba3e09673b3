import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { Kysely } from 'kysely'
import type { Deadlines } from '../deadlines.ts'
import { makeFolder } from '../folders.ts'
import type { Database } from './database.ts'
import { DatabaseError } from './errors.ts'
import type { Tables } from './schema.ts'
import { sqliteDialect } from './sqlite-driver.ts'
import { cachedStatements } from './sqlite-statements.ts'

/** While connecting, another process may be at recovery or at its last checkpoint, in milliseconds. */
const CONNECT_TIMEOUT = 2000

/**
 * Opens an SQLite file with two connections: one writes, one transaction at a time; the other only reads what is
 * committed. Every commit is on the disk before it is acknowledged (`synchronous=FULL`). A new file is readable by its
 * owner alone. Throws DatabaseError when the file cannot be made, opened or is no database.
 */
export function openSqlite(file: string, deadlines: Pick<Deadlines, 'lock'>): Database {
  try {
    makeFolder(dirname(file))
    closeSync(openSync(file, 'a', 0o600))
    const writer = connect(file, false)
    const reader = connect(file, true)
    return databaseOver(writer, reader, deadlines.lock)
  } catch (error) {
    throw new DatabaseError(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error })
  }
}

function connect(file: string, readonly: boolean): BetterSqlite.Database {
  const connection = new BetterSqlite(file, { readonly, timeout: CONNECT_TIMEOUT })
  if (!readonly) connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection.pragma('foreign_keys = ON')
  connection.pragma('cache_size = -32768')
  connection.pragma('temp_store = MEMORY')
  for (const [name, expected] of [
    ['journal_mode', 'wal'],
    ['synchronous', 2],
    ['foreign_keys', 1],
  ] as const) {
    const actual = connection.pragma(name, { simple: true })
    if (actual !== expected) throw new Error(`PRAGMA ${name} is ${actual}, not ${expected}`)
  }
  // From here on the driver waits for the lock: SQLite would do it by putting the whole thread to sleep.
  if (!readonly) connection.pragma('busy_timeout = 0')
  return connection
}

function databaseOver(writer: BetterSqlite.Database, reader: BetterSqlite.Database, lockWait: number): Database {
  const read = cachedStatements(reader)
  const db = new Kysely<Tables>({ dialect: sqliteDialect(writer, cachedStatements(writer), read, lockWait) })
  const version = reader.prepare('PRAGMA data_version').pluck()
  return {
    engine: 'sqlite',
    db,
    transaction: (work) => db.transaction().execute(work),
    first: (query, params) => {
      const { sql, names } = query.compiled(db)
      return read(sql).get(names.map((name) => params[name])) as never
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
