import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type BetterSqlite from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import type { Deadlines } from '../../config/deadlines.ts'
import { makeFolder } from '../../lib/folders.ts'
import type { Database } from '../database.ts'
import { DatabaseError, isUnavailable } from '../errors.ts'
import type { Tables } from '../tables.ts'
import { connect } from './connect.ts'
import { readDialect, sqliteDialect } from './driver.ts'
import { createSqliteReader } from './reader.ts'
import { cachedStatements } from './statements.ts'

type OfSqlite = Pick<Deadlines, 'statement' | 'lock'>

/**
 * Opens an SQLite file with two connections: one writes, one transaction at a time; the other only reads what is
 * committed. Every commit is on the disk before it is acknowledged (`synchronous=FULL`). A new file is readable by its
 * owner alone. Throws DatabaseError when the file cannot be made, opened or is no database.
 */
export function openSqlite(file: string, deadlines: OfSqlite): Database {
  try {
    makeFolder(dirname(file))
    closeSync(openSync(file, 'a', 0o600))
    const writer = connect(file, false)
    // From here on the driver waits for the lock: SQLite would do it by putting the whole thread to sleep.
    writer.pragma('busy_timeout = 0')
    return databaseOver(file, writer, connect(file, true), deadlines)
  } catch (error) {
    throw new DatabaseError(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Statistics for SQLite's planner: of a sample of each index, and only where a table has grown or shrunk tenfold since
 * (https://sqlite.org/lang_analyze.html). It counts the rows, at 0.2 s for each index of a million: not while serving.
 */
const OPTIMIZE = 'pragma optimize = 0x10002'

function databaseOver(
  file: string,
  writer: BetterSqlite.Database,
  reader: BetterSqlite.Database,
  deadlines: OfSqlite,
): Database {
  const read = cachedStatements(reader)
  const db = new Kysely<Tables>({ dialect: sqliteDialect(writer, cachedStatements(writer), read, deadlines.lock) })
  const reads = createSqliteReader(file, deadlines)
  const version = reader.prepare('PRAGMA data_version').pluck()
  return {
    engine: 'sqlite',
    db,
    reads: new Kysely<Tables>({ dialect: readDialect(reads.run) }),
    transaction: (work) => db.transaction().execute(work),
    first: (query, params) => {
      const { sql, names } = query.compiled(db)
      return read(sql).get(names.map((name) => params[name])) as never
    },
    dataVersion: () => version.get() as number,
    ping: async () => {
      reader.prepare('select 1').get()
    },
    optimize: async () => {
      await sql
        .raw(OPTIMIZE)
        .execute(db)
        .catch((error) => {
          if (!isUnavailable(error)) throw error // A full disk keeps nobody from reading.
        })
    },
    close: async () => {
      await reads.close()
      reader.close()
      await db.destroy()
      if (writer.open) writer.close() // Kysely closes only what it has used.
    },
  }
}
