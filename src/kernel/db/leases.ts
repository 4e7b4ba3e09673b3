import { timestamp } from '../lib/clock.ts'
import type { Db } from './database.ts'

/**
 * Takes a job for `duration` ms, where nobody else has it: of many instances one gets true. A row rather than an
 * advisory lock, because it works on both engines and through a pooler; it ends by itself when the holder dies.
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
