import { sql } from 'kysely'
import { deadlinesOf, MIGRATION_DEADLINES } from '../config/deadlines.ts'
import type { Database } from './database.ts'
import type { Tables } from './tables.ts'

export interface DatabaseConfig {
  database: { engine: 'sqlite'; file: string } | { engine: 'postgres'; url: string; poolSize: number }
  /** Milliseconds. */
  requestTimeout: number
}

/** Opens the configured database, with the deadlines of migrations if `forMigration` is set. Throws DatabaseError. */
export async function openDatabase(
  { database, requestTimeout }: DatabaseConfig,
  { forMigration = false } = {},
): Promise<Database> {
  const deadlines = forMigration ? MIGRATION_DEADLINES : deadlinesOf(requestTimeout)
  // Loading only the engine in use halves the startup time.
  if (database.engine === 'sqlite') {
    const { openSqlite } = await import('./sqlite/sqlite.ts')
    return openSqlite(database.file, deadlines)
  }
  const { openPostgres } = await import('./postgres/postgres.ts')
  return openPostgres(database.url, { poolSize: database.poolSize, deadlines })
}

/** Whether a table exists and has a row. */
export async function hasRows({ db }: Database, table: keyof Tables): Promise<boolean> {
  const tables = await db.introspection.getTables()
  if (!tables.some(({ name }) => name === table)) return false
  const row = await db.selectFrom(table).select(sql.lit(1).as('one')).limit(1).executeTakeFirst()
  return row !== undefined
}
