import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import type BetterSqlite from 'better-sqlite3'
import type { Statement } from 'better-sqlite3'
import { Kysely, sql } from 'kysely'
import type { Deadlines } from '../../config/deadlines.ts'
import { makeFolder } from '../../lib/folders.ts'
import type { Database, LookupQuery } from '../database.ts'
import { DatabaseError, isUnavailable } from '../errors.ts'
import type { Tables } from '../tables.ts'
import { connect } from './connect.ts'
import { readDialect, sqliteDialect } from './driver.ts'
import { createSqliteReader } from './reader.ts'
import { cachedStatements } from './statements.ts'

type SqliteDeadlines = Pick<Deadlines, 'statement' | 'lock'>

/**
 * Opens or creates an SQLite file (mode 0600) with two connections, one for writes and one for committed reads
 * (docs/decisions/0003). Commits are durable (`synchronous=FULL`). Throws DatabaseError if the file cannot be opened.
 */
export function openSqlite(file: string, deadlines: SqliteDeadlines): Database {
  try {
    makeFolder(dirname(file))
    closeSync(openSync(file, 'a', 0o600))
    const writer = connect(file, false)
    // From here on the driver waits for locks: SQLite's busy timeout would block the thread.
    writer.pragma('busy_timeout = 0')
    return createDatabase(file, writer, connect(file, true), deadlines)
  } catch (error) {
    throw new DatabaseError(`cannot open the database ${file}: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Updates the statistics of tables that have grown or shrunk tenfold (https://sqlite.org/lang_analyze.html). Takes 0.2
 * s per index of a million rows, so it does not run while serving (docs/decisions/0020).
 */
const OPTIMIZE = 'pragma optimize = 0x10002'

function createDatabase(
  file: string,
  writer: BetterSqlite.Database,
  reader: BetterSqlite.Database,
  deadlines: SqliteDeadlines,
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
    lookup: <R>(query: LookupQuery<R>) => {
      let statement: Statement<[string], R> | undefined
      return (keys) => {
        statement ??= reader.prepare<[string], R>(query.compiled(db).sql)
        const one = statement
        return keys.map((key) => one.get(key)).filter((row) => row !== undefined)
      }
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
          if (!isUnavailable(error)) throw error // For example, a full disk must not prevent a start.
        })
    },
    close: async () => {
      await reads.close()
      reader.close()
      await db.destroy().finally(() => {
        if (writer.open) writer.close() // Kysely closes it only if it was used.
      })
    },
  }
}
