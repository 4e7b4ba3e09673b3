import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { Deadlines } from '../../config/deadlines.ts'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { type Connection, clientOf, getTypeParser } from './client.ts'
import { createTarget, TOO_MANY_CONNECTIONS } from './target.ts'
import { parsePostgresUrl } from './url.ts'

/** So many may wait for each connection; more would only wait in vain. */
const MAX_WAITING_PER_CONNECTION = 20
/** For so long after the server had no connection left, no further one is asked of it, in milliseconds. */
const REFUSED_MS = 1000
/** Who has no connection at all tries again after this time. */
const RETRY_MS = 50

export interface PoolOptions {
  /** Most connections of this process. */
  poolSize: number
  deadlines: Pick<Deadlines, 'connection' | 'statement' | 'lock'>
}

/**
 * Connections to the primary. One that breaks is replaced when the next is asked for; one to another host than the
 * target, or to a server that has become a standby, is never given out.
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
    query_timeout: statement + 1000, // The server's own deadline comes first, and leaves the connection usable.
    ...(!pooled && {
      statement_timeout: statement,
      lock_timeout: lock,
      idle_in_transaction_session_timeout: statement,
    }),
    types: { getTypeParser },
  })
  pool.on('error', () => {}) // An idle connection broke: the pool has dropped it, and the next query tells.
  pool.on('connect', (client) => {
    client.on('error', () => {}) // One in use: its query tells.
    open.add(client)
  })
  pool.on('acquire', (client) => inUse.add(client))
  pool.on('release', (_error, client) => inUse.delete(client))
  pool.on('remove', (client) => open.delete(client))

  /** A connection to the primary. Throws an error that counts as `isUnavailable` where there is none in time. */
  async function connect(): Promise<pg.PoolClient> {
    if (pool.waitingCount >= MAX_WAITING_PER_CONNECTION * poolSize)
      throw new AppError(kernelErrors.overloaded, { retryAfter: 1 })
    const deadline = performance.now() + connection
    for (;;) {
      if (target.isInDoubt) await target.find()
      const client = await take(deadline)
      if (!client) continue
      if (client.url === target.url) {
        if (await client.isPrimary()) return client
        target.doubt()
      }
      client.release(true)
      if (performance.now() >= deadline) throw new Error(TIMEOUT)
    }
  }

  /** The next connection; undefined where another try makes sense. */
  async function take(deadline: number): Promise<Connection | undefined> {
    const taking =
      pool.idleCount > 0 ? pool.connect() : inTime(pool.connect(), Math.max(1, deadline - performance.now()))
    try {
      return (await taking) as Connection
    } catch (error) {
      const isLate = performance.now() >= deadline
      if (!isLate && (error as { code?: string }).code === TOO_MANY_CONNECTIONS) return makeDo()
      if (!target.hasChoice || pool.ending) throw error
      if (isLate || isFull(pool)) {
        lookWhetherStuck()
        throw error
      }
      target.doubt()
    }
  }

  /** The server grants no further connection: those that we have must do, and whoever asks waits for one of them. */
  async function makeDo(): Promise<undefined> {
    if (pool.options.max === poolSize)
      setTimeout(() => {
        pool.options.max = poolSize
      }, REFUSED_MS).unref()
    pool.options.max = Math.max(1, open.size)
    if (open.size === 0) await pause(RETRY_MS)
  }

  let isLooking = false
  /** No connection came free in time. If they hang at a host that is gone, what runs on them is over. */
  async function lookWhetherStuck(): Promise<void> {
    if (isLooking) return
    isLooking = true
    try {
      if (await target.isThere()) return
      target.doubt()
      await target.find()
    } catch {
      // There is no primary: the next request says so.
    } finally {
      isLooking = false
    }
  }

  /** The target is another host: what is still asked of the former one will not be answered, or not be kept. */
  function closeOthers(): void {
    for (const client of inUse as Set<Connection>) if (client.url !== target.url) client.end().catch(() => {})
  }

  return { connect, target, end: (): Promise<void> => (pool.ended ? Promise.resolve() : pool.end()) }
}

const TIMEOUT = 'timeout exceeded when trying to connect'

/** Whether the wait was for a connection that others use: no other host would change that. */
const isFull = (pool: pg.Pool) => pool.totalCount >= pool.options.max && pool.idleCount === 0

/** The pool bounds the wait for a connection, and that for a new one; this is for both together. */
function inTime(taking: Promise<pg.PoolClient>, milliseconds: number): Promise<pg.PoolClient> {
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
    taking.then(
      (client) => (isLate ? client.release() : settle(() => resolve(client))),
      (error) => settle(() => reject(error)),
    )
  })
}
