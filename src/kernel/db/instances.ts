import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { sql } from 'kysely'
import { SECOND, timestamp } from '../lib/clock.ts'
import { type Database, type Db, engineOf } from './database.ts'
import { withSchema } from './migrator.ts'
import { INSTANCE_PREFIX } from './running.ts'

/** How often an instance renews its lease, and how long the lease is valid. */
const RENEW_INTERVAL_MS = 10 * SECOND
const LEASE_MS = 30 * SECOND

/**
 * Creates the lease of a serving process, a row that `migrate down` checks for. A row instead of an advisory lock works
 * on both engines and behind a pooler.
 */
export function createInstance({ database }: { database: Database }) {
  const name = `${INSTANCE_PREFIX}${randomUUID()}`
  const holder = `${hostname()}, process ${process.pid}`
  let timer: NodeJS.Timeout | undefined

  async function renew(db: Db): Promise<void> {
    const until = timeFromNow(db, LEASE_MS)
    await db
      .insertInto('leases')
      .values({ name, holder, until })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ until }))
      .execute()
  }

  return {
    /** Takes the lease. Throws DatabaseError if migrations are pending or the schema is incompatible. */
    async begin(): Promise<void> {
      await withSchema(database, async (trx) => {
        await trx
          .deleteFrom('leases')
          .where('name', 'like', `${INSTANCE_PREFIX}%`)
          .where('until', '<', timeFromNow(trx, 0))
          .execute()
        await renew(trx)
      })
      // A failed renewal is harmless: while the database is unavailable, no migration can run.
      timer = setInterval(() => renew(database.db).catch(() => {}), RENEW_INTERVAL_MS).unref()
    },
    async end(): Promise<void> {
      if (!timer) return
      clearInterval(timer)
      await database.db
        .deleteFrom('leases')
        .where('name', '=', name)
        .execute()
        .catch(() => {}) // The lease expires by itself.
    },
  }
}

/** Returns a time from now, by the clock of PostgreSQL, since the clocks of several machines differ. */
function timeFromNow(db: Db, milliseconds: number) {
  return engineOf(db) === 'postgres'
    ? sql<string>`clock_timestamp() + ${sql.lit(milliseconds)} * interval '1 millisecond'`
    : sql<string>`${timestamp(Date.now() + milliseconds)}`
}
