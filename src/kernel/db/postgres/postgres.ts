import { setTimeout as pause } from 'node:timers/promises'
import { Kysely, PostgresDialect } from 'kysely'
import type { Database } from '../database.ts'
import { DatabaseError, isConflict } from '../errors.ts'
import { namedStatements } from '../prepared-query.ts'
import type { Tables } from '../tables.ts'
import { createPool, type PoolOptions } from './pool.ts'
import { masked } from './url.ts'

const MIN_VERSION = 15_00_00

/**
 * Opens a pool of connections to the PostgreSQL primary. Throws DatabaseError if no primary accepts a connection or it
 * is older than 15.
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
  if (version < MIN_VERSION) {
    await pool.end()
    throw new DatabaseError(`PostgreSQL 15 or newer is required; ${masked(url)} is older`)
  }

  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: { connect, end: pool.end } as never }) })
  return {
    engine: 'postgres',
    db,
    transaction: (work) => withRetries(() => db.transaction().execute(work)),
    reads: db, // The server interrupts statements at `statement_timeout`.
    lookup: (prepared) => async (keys) => {
      const { rows } = await query(withStandbyCheck(prepared.compiled(db).sql), [keys])
      const { standby, is_found } = rows[0]
      if (!standby) return is_found ? rows : []
      target.markUncertain()
      throw Object.assign(new Error('the database has become a standby'), { code: '57P03' })
    },
    dataVersion: () => null,
    optimize: async () => {}, // Autovacuum updates the statistics.
    ping: async () => {
      const client = await connect()
      try {
        await target.requirePrimary(client)
        client.release()
      } catch (error) {
        target.markUncertain()
        client.release(true)
        throw error
      }
    },
    close: () => db.destroy().then(pool.end),
  }
}

/** Maximum number of runs of a transaction. */
const MAX_RUNS = 3
/** Maximum random delay before a retry, so that two transactions do not conflict again, in ms. */
const MAX_PAUSE_MS = 20

/** Retries a transaction after a deadlock or a serialization failure. */
async function withRetries<T>(run: () => Promise<T>): Promise<T> {
  for (let runs = 1; ; runs++) {
    try {
      return await run()
    } catch (error) {
      if (runs === MAX_RUNS || !isConflict(error)) throw error
      await pause(Math.random() * MAX_PAUSE_MS)
    }
  }
}

const checkedQueries = new Map<string, string>()

/**
 * Returns a prepared query that also selects whether its server is a standby, without a further round trip: behind a
 * pooler, each query may reach another server (docs/decisions/0018).
 */
function withStandbyCheck(sql: string): string {
  const cached = checkedQueries.get(sql)
  if (cached) return cached
  const text = `select answer.*, server.standby from (select pg_is_in_recovery() as standby) as server left join (select true as is_found, query.* from (${sql}) as query) as answer on true`
  checkedQueries.set(sql, text)
  namedStatements.set(text, `${namedStatements.get(sql)}_with_role`)
  return text
}
