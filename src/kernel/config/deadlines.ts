import { SECOND } from '../lib/clock.ts'

/**
 * The deadlines of a request and of what it waits for, in milliseconds. Those inside a request follow from its own
 * (`REQUEST_TIMEOUT`), so that the caller is told why before the request itself is cut.
 */
export const deadlinesOf = (request: number) => ({
  /** From the first byte of a request to its last, and again from there to its answer. */
  request,
  /** For the headers of a request. */
  headers: Math.min(10 * SECOND, request),
  /** For a free database connection, a new one included. */
  connection: Math.min(SECOND, request),
  /** For one statement; also for a transaction that sits idle. On SQLite it holds for `reads`; the others are short. */
  statement: Math.round((request * 2) / 3),
  /** For a lock in the database: a row’s in PostgreSQL, the right to write in SQLite, or a free process to read in. */
  lock: Math.round(request / 3),
})

export type Deadlines = ReturnType<typeof deadlinesOf>

/** Migrations may wait for another instance’s, and build an index on millions of rows. */
export const MIGRATION_DEADLINES: Pick<Deadlines, 'connection' | 'statement' | 'lock'> = {
  connection: 10 * SECOND,
  statement: 3600 * SECOND,
  lock: 600 * SECOND,
}

/** A connection that is kept open between two requests: longer than the minute for which load balancers commonly reuse one. */
export const KEEP_ALIVE_MS = 72 * SECOND

/** How often too slow requests are looked for. */
export const SLOW_REQUEST_CHECK_MS = 2 * SECOND

/**
 * A reader takes at least so many bytes in such a time, or its connection is destroyed: about 6 KB a second. The time is
 * long since a system tells of what it has sent in steps of up to a third of its send buffer, which can be megabytes.
 */
export const SLOW_READER = { windowMs: 20 * SECOND, minBytes: 128 * 1024 }

/** For the answer of the database to a readiness check. */
export const PING_TIMEOUT_MS = SECOND

/** With a mail server: for its address, a connection, its greeting, and any silence within a delivery. */
export const SMTP_TIMEOUTS = {
  dnsTimeout: 5 * SECOND,
  connectionTimeout: 10 * SECOND,
  greetingTimeout: 10 * SECOND,
  socketTimeout: 20 * SECOND,
}

/** On SIGTERM: for load balancers to notice that readiness has turned, and for the whole shutdown. */
export const DRAIN_DELAY_MS = 2 * SECOND
export const SHUTDOWN_DEADLINE_MS = 9500

/** After an error that nobody caught: for requests in flight, before the process ends. */
export const FATAL_DRAIN_MS = 5 * SECOND

/** For the reader of the log to take its last lines. */
export const LOG_FLUSH_TIMEOUT_MS = 3 * SECOND
