import { timestamp } from '../lib/clock.ts'
import type { Db } from './database.ts'

/**
 * Takes or renews a lease for `duration` ms. Returns false if another holder has it. A row instead of an advisory lock
 * works on both engines and behind a pooler, and expires when its holder dies.
 */
export async function takeLease(db: Db, name: string, holder: string, now: number, duration: number): Promise<boolean> {
  const until = timestamp(now + duration)
  const row = await db
    .insertInto('leases')
    .values({ name, holder, until })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet({ holder, until })
        .where((eb) => eb.or([eb('leases.until', '<=', timestamp(now)), eb('leases.holder', '=', holder)])),
    )
    .returning('holder')
    .executeTakeFirst()
  return row?.holder === holder
}
