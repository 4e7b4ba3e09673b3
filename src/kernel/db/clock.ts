import { sql } from 'kysely'
import { type Clock, systemClock } from '../lib/clock.ts'
import { createRemoteClock } from '../lib/remote-clock.ts'
import type { Log } from '../log/log.ts'
import type { Database } from './database.ts'

export interface DatabaseClock extends Clock {
  /** Whether the clock of this machine differed by more than a second at the last query. */
  readonly differs: boolean
  start(): void
  stop(): void
}

/**
 * Returns the clock of PostgreSQL, so that instances with different clocks agree; with SQLite, the clock of the
 * machine.
 * @see docs/decisions/0016-database-clock.md
 */
export async function createDatabaseClock(database: Database, log: Log, local = systemClock): Promise<DatabaseClock> {
  if (database.engine === 'sqlite') return fixed(local)
  const query = async () => {
    const { rows } = await sql<{ now: number }>`
      select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`.execute(database.db)
    return (rows[0] as { now: number }).now
  }
  return createRemoteClock({ query, log, local })
}

/** Wraps a clock that is not compared with another: that of a single machine, or of a test. */
export const fixed = ({ now }: Clock): DatabaseClock => ({ now, differs: false, start() {}, stop() {} })
