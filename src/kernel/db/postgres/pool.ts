import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { Deadlines } from '../../config/deadlines.ts'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { type Connection, clientOf, getTypeParser } from './client.ts'
import { createTarget, TOO_MANY_CONNECTIONS } from './target.ts'
import { parsePostgresUrl } from './url.ts'

/** Maximum number of waiting queries per connection; more would time out anyway. */
const MAX_WAITING_PER_CONNECTION = 20
/** How long to open no further connection after the server has refused one, in milliseconds. */
const REFUSED_MS = 1000
/** Pause before the next try while the process has no connection at all, in milliseconds. */
const RETRY_MS = 50

export interface PoolOptions {
  /** Maximum number of connections of this process. */
  poolSize: number
  deadlines: Pick<Deadlines, 'connection' | 'statement' | 'lock'>
}

/**
 * Creates a pool of connections to the primary. Connections to other hosts and to standbys are discarded.
 * @see docs/decisions/0018-finding-the-primary.md
 */
export function createPool(address: string, { poolSize, deadlines }: PoolOptions) {
  const { urls, pooled } = parsePostgresUrl(address)
  const { connection, statement, lock } = deadlines
  const open = new Set<pg.PoolClient>()
  const inUse = new Set<pg.PoolClient>()
  const target = createTarget(urls, connection, closeOthers)
  const pool = new pg.Pool({
    Client: clientOf(target, pooled),
    max: poolSize,
    connectionTimeoutMillis: connection,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    application_name: 'bukhindor',
    query_timeout: statement + 1000, // After `statement_timeout` of the server, which leaves the connection usable.
    ...(!pooled && {
      statement_timeout: statement,
      lock_timeout: lock,
      idle_in_transaction_session_timeout: statement,
    }),
    types: { getTypeParser },
  })
  pool.on('error', () => {}) // A broken idle connection, which the pool has already dropped.
  pool.on('connect', (client) => {
    client.on('error', () => {}) // A broken connection in use, whose query rejects.
    open.add(client)
  })
  pool.on('acquire', (client) => inUse.add(client))
  pool.on('release', (_error, client) => inUse.delete(client))
  pool.on('remove', (client) => open.delete(client))

  /** Returns a connection to the primary. Throws an error that is `isUnavailable` if there is none in time. */
  async function connect(): Promise<pg.PoolClient> {
    if (pool.waitingCount >= MAX_WAITING_PER_CONNECTION * poolSize)
      throw new AppError(kernelErrors.overloaded, { retryAfter: 1 })
    const deadline = performance.now() + connection
    for (;;) {
      if (target.isUncertain) await target.find()
      const client = await take(deadline)
      if (!client) continue
      if (client.url === target.url) {
        if (await client.isPrimary()) return client
        target.markUncertain()
      }
      client.release(true)
      if (performance.now() >= deadline) throw new Error(TIMEOUT)
    }
  }

  /** Returns the next connection; undefined if the caller should try again. */
  async function take(deadline: number): Promise<Connection | undefined> {
    const pending =
      pool.idleCount > 0 ? pool.connect() : withTimeout(pool.connect(), Math.max(1, deadline - performance.now()))
    try {
      return (await pending) as Connection
    } catch (error) {
      const isLate = performance.now() >= deadline
      if (!isLate && (error as { code?: string }).code === TOO_MANY_CONNECTIONS) return limitToOpen()
      if (!target.hasChoice || pool.ending) throw error
      if (isLate || isFull(pool)) {
        checkTarget()
        throw error
      }
      target.markUncertain()
    }
  }

  /** Limits the pool to its open connections for REFUSED_MS, because the server accepts no further ones. */
  async function limitToOpen(): Promise<undefined> {
    if (pool.options.max === poolSize)
      setTimeout(() => {
        pool.options.max = poolSize
      }, REFUSED_MS).unref()
    pool.options.max = Math.max(1, open.size)
    if (open.size === 0) await pause(RETRY_MS)
  }

  let isChecking = false
  /** Checks the target after no connection became free in time; connections to an unreachable host may hang. */
  async function checkTarget(): Promise<void> {
    if (isChecking) return
    isChecking = true
    try {
      if (await target.isReachable()) return
      target.markUncertain()
      await target.find()
    } catch {
      // There is no primary: the next request fails with this error.
    } finally {
      isChecking = false
    }
  }

  /** Closes connections in use to the previous target: their queries would hang, or their writes be lost. */
  function closeOthers(): void {
    for (const client of inUse as Set<Connection>) if (client.url !== target.url) client.end().catch(() => {})
  }

  return { connect, target, end: (): Promise<void> => (pool.ended ? Promise.resolve() : pool.end()) }
}

const TIMEOUT = 'timeout exceeded when trying to connect'

/** Whether all connections are in use, so that another host would not help. */
const isFull = (pool: pg.Pool) => pool.totalCount >= pool.options.max && pool.idleCount === 0

/** Limits the total wait: the pool limits waiting for a connection and opening a new one separately. */
function withTimeout(pending: Promise<pg.PoolClient>, milliseconds: number): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(new Error(TIMEOUT))
    }, milliseconds)
    const settle = (answer: () => void) => {
      clearTimeout(timer)
      answer()
    }
    pending.then(
      (client) => (isLate ? client.release() : settle(() => resolve(client))),
      (error) => settle(() => reject(error)),
    )
  })
}
