import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { DatabaseError } from '../errors.ts'
import { requireSpace } from './backup.ts'

const LOCK_WAIT_MS = 1000

/**
 * Writes the SQLite database `file` anew without the pages that nothing uses any more. Returns its size before and after,
 * in bytes. Throws DatabaseError when it is in use, as no write could be made meanwhile, or the disk has no room for it.
 */
export function vacuumSqlite(file: string): { before: number; after: number } {
  if (!existsSync(file)) throw new DatabaseError(`database ${file} does not exist`)
  const database = new BetterSqlite(file, { timeout: LOCK_WAIT_MS })
  try {
    database.pragma('journal_mode = DELETE') // Fails where anybody else has it open.
    database.pragma('locking_mode = EXCLUSIVE')
    const before = statSync(file).size
    // The new one is written beside it, and what is replaced is kept until that is done.
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
