import { setTimeout as pause } from 'node:timers/promises'
import { Kysely, PostgresDialect } from 'kysely'
import type { Database } from '../database.ts'
import { DatabaseError, isConflict } from '../errors.ts'
import { namedStatements } from '../prepared-query.ts'
import type { Tables } from '../tables.ts'
import { createPool, type PoolOptions } from './pool.ts'
import { masked } from './url.ts'

const OLDEST_VERSION = 15_00_00

/**
 * Opens a pool of PostgreSQL connections. A connection that breaks is replaced by the next query; only the primary is
 * used, and looked for again when it is one no longer.
 * Throws DatabaseError when no server answers, it refuses, is a standby, or is older than 15.
 */
export async function openPostgres(url: string, options: PoolOptions): Promise<Database> {
  const pool = createPool(url, options)
  const { connect, target } = pool
  const query = async (sql: string, values: unknown[] = []) => {
    const client = await connect()
    try {
      return await client.query(sql, values)
    } finally {
      client.release()
    }
  }

  const version = await query('show server_version_num')
    .then(({ rows }) => Number(rows[0].server_version_num))
    .catch(async (error) => {
      await pool.end()
      throw new DatabaseError(`cannot reach PostgreSQL at ${masked(url)}: ${error.message || error.code}`, {
        cause: error,
      })
    })
  if (version < OLDEST_VERSION) {
    await pool.end()
    throw new DatabaseError(`PostgreSQL 15 or newer is required; ${masked(url)} is older`)
  }

  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: { connect, end: pool.end } as never }) })
  return {
    engine: 'postgres',
    db,
    transaction: (work) => repeated(() => db.transaction().execute(work)),
    reads: db, // Its statements have deadlines of their own, and are no work of this process.
    first: async (hot, params) => {
      const { sql, names } = hot.compiled(db)
      const { rows } = await query(
        withRole(sql),
        names.map((name) => params[name]),
      )
      const { standby, is_found } = rows[0]
      if (!standby) return is_found ? rows[0] : undefined
      target.doubt()
      throw Object.assign(new Error('the database has become a standby'), { code: '57P03' })
    },
    dataVersion: () => null,
    optimize: async () => {}, // Autovacuum does it.
    ping: async () => {
      const client = await connect()
      try {
        await target.requirePrimary(client)
        client.release()
      } catch (error) {
        target.doubt()
        client.release(true)
        throw error
      }
    },
    close: () => db.destroy().then(pool.end),
  }
}

/** How often the work of a transaction is done at most. */
const MAX_RUNS = 3
/** The longest pause before a transaction runs again: two that met must not meet again, in ms. */
const MAX_PAUSE_MS = 20

/** Runs a transaction again that the server has ended because it and another one waited for each other, or cannot both be. */
async function repeated<T>(run: () => Promise<T>): Promise<T> {
  for (let runs = 1; ; runs++) {
    try {
      return await run()
    } catch (error) {
      if (runs === MAX_RUNS || !isConflict(error)) throw error
      await pause(Math.random() * MAX_PAUSE_MS)
    }
  }
}

const withRoles = new Map<string, string>()

/**
 * A hot query that also tells whether its server is a standby, at no further way to the server. A connection says so as
 * it begins, but behind a pooler the server may be another one for each query, and what it has not is no proof.
 */
function withRole(sql: string): string {
  const known = withRoles.get(sql)
  if (known) return known
  const text = `select answer.*, server.standby from (select pg_is_in_recovery() as standby) as server left join (select true as is_found, query.* from (${sql}) as query) as answer on true`
  withRoles.set(sql, text)
  namedStatements.set(text, `${namedStatements.get(sql)}_with_role`)
  return text
}
