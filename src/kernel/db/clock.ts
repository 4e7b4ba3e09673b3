import { sql } from 'kysely'
import { type Clock, systemClock } from '../lib/clock.ts'
import { createRemoteClock } from '../lib/remote-clock.ts'
import type { Log } from '../log/log.ts'
import type { Database } from './database.ts'

export interface DatabaseClock extends Clock {
  /** Whether the clock of this machine has been found to differ by more than a second. */
  readonly differs: boolean
  start(): void
  stop(): void
}

/**
 * The clock of the database, where there is one: instances whose own clocks differ must not take the parallel call of an
 * honest device for a theft. SQLite is on one machine, and has no clock but that. See docs/decisions/0016-database-clock.md.
 */
export async function createDatabaseClock(database: Database, log: Log, local = systemClock): Promise<DatabaseClock> {
  if (database.engine === 'sqlite') return fixed(local)
  const ask = async () => {
    const { rows } = await sql<{ now: number }>`
      select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`.execute(database.db)
    return (rows[0] as { now: number }).now
  }
  return createRemoteClock({ ask, log, local })
}

/** A clock that is never compared with another: that of a single machine, or of a test. */
export const fixed = ({ now }: Clock): DatabaseClock => ({ now, differs: false, start() {}, stop() {} })
