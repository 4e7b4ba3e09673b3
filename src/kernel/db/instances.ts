import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { sql } from 'kysely'
import { SECOND, timestamp } from '../lib/clock.ts'
import { type Database, type Db, engineOf } from './database.ts'
import { withSchema } from './migrator.ts'
import { INSTANCE } from './running.ts'

/** A process that serves says so this often, and counts as running for so long after it has last said so. */
const RENEW_MS = 10 * SECOND
const ALIVE_MS = 30 * SECOND

/**
 * The sign of life of a process that serves: a row of `leases`, which `migrate down` looks for. A row rather than an
 * advisory lock, because it works on both engines and through a pooler.
 */
export function createInstance({ database }: { database: Database }) {
  const name = `${INSTANCE}${randomUUID()}`
  const holder = `${hostname()}, process ${process.pid}`
  let timer: NodeJS.Timeout | undefined

  async function renew(db: Db): Promise<void> {
    const until = inMilliseconds(db, ALIVE_MS)
    await db
      .insertInto('leases')
      .values({ name, holder, until })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ until }))
      .execute()
  }

  return {
    /** From here on it counts as running. Throws DatabaseError when the schema is not what this version needs. */
    async begin(): Promise<void> {
      await withSchema(database, async (trx) => {
        await trx
          .deleteFrom('leases')
          .where('name', 'like', `${INSTANCE}%`)
          .where('until', '<', inMilliseconds(trx, 0))
          .execute()
        await renew(trx)
      })
      // While the database is away nobody can migrate either.
      timer = setInterval(() => renew(database.db).catch(() => {}), RENEW_MS).unref()
    },
    async end(): Promise<void> {
      if (!timer) return
      clearInterval(timer)
      await database.db
        .deleteFrom('leases')
        .where('name', '=', name)
        .execute()
        .catch(() => {}) // It runs out by itself.
    },
  }
}

/** A time from now, by the clock of the database: those of several machines differ. */
function inMilliseconds(db: Db, milliseconds: number) {
  return engineOf(db) === 'postgres'
    ? sql<string>`clock_timestamp() + ${sql.lit(milliseconds)} * interval '1 millisecond'`
    : sql<string>`${timestamp(Date.now() + milliseconds)}`
}
