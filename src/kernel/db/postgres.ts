import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Deadlines } from '../deadlines.ts'
import { AppError } from '../errors.ts'
import { type Database, namedStatements } from './database.ts'
import { DatabaseError } from './errors.ts'
import { createTarget, type Target } from './postgres-target.ts'
import { masked, parsePostgresUrl } from './postgres-url.ts'
import type { Tables } from './schema.ts'

const OLDEST_VERSION = 15_00_00
/** So many may wait for each connection; more would only wait in vain. */
const QUEUE = 20

interface PostgresOptions {
  /** Most connections of this process. */
  poolSize: number
  deadlines: Pick<Deadlines, 'connection' | 'statement' | 'lock'>
}

/**
 * Opens a pool of PostgreSQL connections. A connection that breaks is replaced by the next query; of several hosts the
 * one that accepts writes is used, and looked for again when it fails.
 * Throws DatabaseError when no server answers, it refuses, or is older than 15.
 */
export async function openPostgres(url: string, { poolSize, deadlines }: PostgresOptions): Promise<Database> {
  const { urls, pooled } = parsePostgresUrl(url)
  const target = createTarget(urls, deadlines.connection)
  const { connection, statement, lock } = deadlines
  const pool = new pg.Pool({
    Client: clientOf(target, pooled),
    max: poolSize,
    connectionTimeoutMillis: connection,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: 'bukhindor',
    query_timeout: statement + 1000, // The server's own deadline comes first, and leaves the connection usable.
    ...(!pooled && {
      statement_timeout: statement,
      lock_timeout: lock,
      idle_in_transaction_session_timeout: statement,
    }),
    types: { getTypeParser },
  })
  pool.on('error', () => {}) // An idle connection broke: the pool has dropped it, and the next query tells.
  pool.on('connect', (client) => client.on('error', () => {})) // One in use: its query tells.

  async function connect(): Promise<pg.PoolClient> {
    if (pool.waitingCount >= QUEUE * poolSize) throw new AppError('overloaded', { retryAfter: 1 })
    const deadline = performance.now() + connection
    for (;;) {
      const taking = pool.idleCount > 0 ? pool.connect() : inTime(pool.connect(), deadline - performance.now())
      const client = await taking.catch((error: Error) => error)
      if (client instanceof Error) {
        if (!target.hasChoice || isFull(pool) || performance.now() >= deadline) throw client
        await target.find()
      } else {
        if ((client as unknown as { url: string }).url === target.url) return client
        client.release(true) // The primary is another one by now.
      }
    }
  }

  const version = await (target.hasChoice ? target.find() : Promise.resolve())
    .then(() => pool.query('show server_version_num'))
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

  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: { connect, end: () => pool.end() } as never }) })
  const query = async (sql: string, values: unknown[] = []) => {
    const client = await connect()
    try {
      return await client.query(sql, values)
    } finally {
      client.release()
    }
  }
  return {
    engine: 'postgres',
    db,
    reads: db, // Its statements have deadlines of their own, and are no work of this process.
    transaction: (work) => db.transaction().execute(work),
    first: async (hot, params) => {
      const { sql, names } = hot.compiled(db)
      const values = names.map((name) => params[name])
      return (await query(sql, values)).rows[0]
    },
    dataVersion: () => null,
    optimize: async () => {}, // Autovacuum does it.
    ping: async () => void (await query('select 1')),
    close: () => db.destroy().then(() => (pool.ended ? undefined : pool.end())),
  }
}

/** Whether the wait was for a connection that others use: no other host would change that. */
const isFull = (pool: pg.Pool) => pool.totalCount >= pool.options.max && pool.idleCount === 0

/** The pool bounds the wait for a connection, and that for a new one; this is for both together. */
function inTime(taking: Promise<pg.PoolClient>, milliseconds: number): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(new Error('timeout exceeded when trying to connect'))
    }, milliseconds)
    const settle = (answer: () => void) => {
      clearTimeout(timer)
      answer()
    }
    taking.then(
      (client) => (isLate ? client.release() : settle(() => resolve(client))),
      (error) => settle(() => reject(error)),
    )
  })
}

/** Connections to the target of the moment. */
function clientOf(target: Target, pooled: boolean): typeof pg.Client {
  return class extends pg.Client {
    readonly url: string

    constructor(options: pg.ClientConfig) {
      super({ ...options, connectionString: target.url })
      this.url = target.url
    }

    /** What a session begins with; poolers pass the time zone on as well. */
    getStartupConf() {
      const { getStartupConf } = pg.Client.prototype as unknown as { getStartupConf(): Record<string, string> }
      return { ...getStartupConf.call(this), TimeZone: 'UTC' }
    }

    /** Sends the queries that are declared hot as named statements: planned once per connection. */
    // biome-ignore lint/suspicious/noExplicitAny: the many overloads of pg's `query` are passed through as they are
    override query(config: any, values?: any, callback?: any): any {
      const name =
        !pooled && typeof config === 'string' && Array.isArray(values) ? namedStatements.get(config) : undefined
      const result = name
        ? super.query({ name, text: config, values }, callback)
        : super.query(config, values, callback)
      if (result instanceof Promise)
        result.catch((error) => {
          if (isSpoiled(error)) this.end().catch(() => {}) // The pool drops what has ended.
        })
      return result
    }
  }
}

/** Whether the connection must not be used again: its server has become read-only, or still works on what we gave up. */
const isSpoiled = ({ code, message }: { code?: string; message: string }): boolean =>
  code === '25006' || message === 'Query read timeout'

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
