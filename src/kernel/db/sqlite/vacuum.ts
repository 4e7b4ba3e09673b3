import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { DatabaseError } from '../errors.ts'
import { requireSpace } from './backup.ts'

const LOCK_WAIT_MS = 1000

/**
 * Rewrites the SQLite database `file` without unused pages. Returns its size before and after, in bytes. Throws
 * DatabaseError if the database is in use or the disk is too full.
 * @see docs/decisions/0019-vacuum-by-command.md
 */
export function vacuumSqlite(file: string): { before: number; after: number } {
  if (!existsSync(file)) throw new DatabaseError(`database ${file} does not exist`)
  const database = new BetterSqlite(file, { timeout: LOCK_WAIT_MS })
  try {
    database.pragma('journal_mode = DELETE') // Fails if another connection is open.
    database.pragma('locking_mode = EXCLUSIVE')
    const before = statSync(file).size
    // VACUUM writes a temporary copy and a rollback journal.
    requireSpace([file, file], dirname(file), 'the database was left as it is')
    database.exec('vacuum')
    return { before, after: statSync(file).size }
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY'))
      throw new DatabaseError(`${file} is in use: stop the service first`, { cause: error })
    throw error
  } finally {
    database.close()
  }
}
