import { sql } from 'kysely'
import { deadlinesOf, MIGRATION_DEADLINES } from '../config/deadlines.ts'
import type { Database } from './database.ts'
import type { Tables } from './tables.ts'

export interface DatabaseConfig {
  database: { engine: 'sqlite'; file: string } | { engine: 'postgres'; url: string; poolSize: number }
  /** Milliseconds. */
  requestTimeout: number
}

/**
 * Opens the database of a configuration; `forMigration` with the deadlines of migrations instead of those of requests.
 * Throws DatabaseError naming what is wrong and where.
 */
export async function openDatabase(
  { database, requestTimeout }: DatabaseConfig,
  { forMigration = false } = {},
): Promise<Database> {
  const deadlines = forMigration ? MIGRATION_DEADLINES : deadlinesOf(requestTimeout)
  // Each engine is loaded only where it is used: half the start-up time.
  if (database.engine === 'sqlite') {
    const { openSqlite } = await import('./sqlite/sqlite.ts')
    return openSqlite(database.file, deadlines)
  }
  const { openPostgres } = await import('./postgres/postgres.ts')
  return openPostgres(database.url, { poolSize: database.poolSize, deadlines })
}

/** Whether a table has a row; one that is not there yet has none. */
export async function hasRows({ db }: Database, table: keyof Tables): Promise<boolean> {
  const tables = await db.introspection.getTables()
  if (!tables.some(({ name }) => name === table)) return false
  const row = await db.selectFrom(table).select(sql.lit(1).as('one')).limit(1).executeTakeFirst()
  return row !== undefined
}
