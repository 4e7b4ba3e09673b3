import { SECOND } from '../lib/clock.ts'

/**
 * Returns the deadlines of a request and of its steps, in milliseconds, derived from `REQUEST_TIMEOUT`. A step ends
 * first, so that the response can name the cause.
 */
export const deadlinesOf = (request: number) => ({
  /** From the first byte of a request to its last, and again from there to its response. */
  request,
  /** For the headers of a request. */
  headers: Math.min(10 * SECOND, request),
  /** For a free or new database connection. */
  connection: Math.min(SECOND, request),
  /** For one statement, and for an idle transaction. On SQLite it applies to `reads` only. */
  statement: Math.round((request * 2) / 3),
  /** For a lock: of a row in PostgreSQL; in SQLite, for the write lock or a free reader process. */
  lock: Math.round(request / 3),
})

export type Deadlines = ReturnType<typeof deadlinesOf>

/** Migrations may wait for those of another instance, and build an index on millions of rows. */
export const MIGRATION_DEADLINES: Pick<Deadlines, 'connection' | 'statement' | 'lock'> = {
  connection: 10 * SECOND,
  statement: 3600 * SECOND,
  lock: 600 * SECOND,
}

/** Keep-alive timeout: longer than the minute for which load balancers commonly reuse an idle connection. */
export const KEEP_ALIVE_MS = 72 * SECOND

/** How often the server checks for requests that arrive too slowly. */
export const SLOW_REQUEST_CHECK_MS = 2 * SECOND

/**
 * A client must read at least `minBytes` per window, about 6 KB a second, or its connection is destroyed.
 * @see docs/decisions/0009-slow-readers.md
 */
export const SLOW_READER = { windowMs: 20 * SECOND, minBytes: 128 * 1024 }

/** For the response of the database to a readiness check. */
export const PING_TIMEOUT_MS = SECOND

/** For a mail server: its address, a connection, its greeting, and inactivity during a delivery. */
export const SMTP_TIMEOUTS = {
  dnsTimeout: 5 * SECOND,
  connectionTimeout: 10 * SECOND,
  greetingTimeout: 10 * SECOND,
  socketTimeout: 20 * SECOND,
}

/** On SIGTERM: for load balancers to notice that readiness fails, and for the whole shutdown. */
export const DRAIN_DELAY_MS = 2 * SECOND
export const SHUTDOWN_DEADLINE_MS = 9500

/** After an uncaught error: for requests in flight, before the process exits. */
export const FATAL_DRAIN_MS = 5 * SECOND

/** For writing the last log lines before the process exits. */
export const LOG_FLUSH_MS = 3 * SECOND
