import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { type Database, namedStatements } from './database.ts'
import { DatabaseError } from './errors.ts'
import { masked } from './postgres-url.ts'
import type { Tables } from './schema.ts'

/** Deadlines in milliseconds: for a free connection, for a statement, for a lock, for a transaction that sits idle. */
const CONNECTION_WAIT = 1000
const STATEMENT_TIMEOUT = 10_000
const LOCK_TIMEOUT = 5000
const IDLE_IN_TRANSACTION_TIMEOUT = 10_000

const OLDEST_VERSION = 15_00_00

/** Sends the queries that are declared hot as named statements: planned once per connection. */
class Client extends pg.Client {
  // biome-ignore lint/suspicious/noExplicitAny: the many overloads of pg's `query` are passed through as they are
  override query(config: any, values?: any, callback?: any): any {
    const name = typeof config === 'string' && Array.isArray(values) ? namedStatements.get(config) : undefined
    return name ? super.query({ name, text: config, values }, callback) : super.query(config, values, callback)
  }
}

/**
 * Opens a pool of PostgreSQL connections. A connection that breaks is replaced by the next query.
 * `patient` is for migrations, which may take longer than any request may.
 * Throws DatabaseError when the server does not answer, refuses, or is older than 15.
 */
export async function openPostgres(url: string, options: { poolSize: number; patient?: boolean }): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    Client,
    max: options.poolSize,
    connectionTimeoutMillis: CONNECTION_WAIT,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: 'bukhindor',
    ...(!options.patient && { query_timeout: STATEMENT_TIMEOUT + 1000 }),
    types: { getTypeParser },
  })
  pool.on('error', () => {}) // An idle connection broke: the pool has dropped it, and the next query tells.
  pool.on('connect', (client) => {
    client.on('error', () => {})
    client
      .query(
        `set statement_timeout = ${STATEMENT_TIMEOUT}; set lock_timeout = ${LOCK_TIMEOUT};
         set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_TIMEOUT}; set timezone = 'UTC'`,
      )
      .catch(() => {})
  })
  const version = await pool
    .query('show server_version_num')
    .then(({ rows }) => Number(rows[0].server_version_num))
    .catch(async (error) => {
      await pool.end()
      throw new DatabaseError(`cannot reach PostgreSQL at ${masked(url)}: ${error.message || error.code}`, {
        cause: error,
      })
    })
  if (version < OLDEST_VERSION) {
    await pool.end()
    throw new DatabaseError(`PostgreSQL at ${masked(url)} is older than 15`)
  }

  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    engine: 'postgres',
    db,
    transaction: (work) => db.transaction().execute(work),
    first: async (query, params) => {
      const { sql, names } = query.compiled(db)
      const { rows } = await pool.query(
        sql,
        names.map((name) => params[name]),
      )
      return rows[0]
    },
    dataVersion: () => null,
    ping: async () => {
      await pool.query('select 1')
    },
    close: () => db.destroy().then(() => (pool.ended ? undefined : pool.end())),
  }
}

/** Times become the RFC 3339 text that SQLite keeps, counts become numbers. */
function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.TIMESTAMPTZ) return parseTime
  if (oid === pg.types.builtins.INT8) return Number
  return pg.types.getTypeParser(oid, format as 'text')
}

/** `2026-11-22 12:00:00.5+00` → `2026-11-22T12:00:00.500Z`. */
function parseTime(text: string): string {
  if (!text.endsWith('+00')) return new Date(text).toISOString()
  const clock = text.slice(11, -3)
  return `${text.slice(0, 10)}T${(clock.includes('.') ? clock : `${clock}.`).padEnd(12, '0')}Z`
}
