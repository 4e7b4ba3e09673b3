import type { Db } from '../../db/database.ts'
import { countDeleted } from '../../db/deleted.ts'
import { timestamp } from '../../lib/clock.ts'

/** A request that holds a key while it runs. */
export interface Claim {
  /** Keyed hash of the caller and the key. */
  id: string
  /** Keyed hash of what is asked for. */
  request: string
  /** This run of it: only the one that holds the key may say what became of it. */
  holder: string
}

/**
 * Takes a key that is new, whose last holder is past its time, or whose answer is the `old` one; inserting the row is the
 * lock. Times are in milliseconds. Returns false where another request has it.
 */
export async function takeKey(
  db: Db,
  { until, ...claim }: Claim & { until: number },
  now: number,
  old?: string,
): Promise<boolean> {
  const row = { ...claim, answer: null, expires_at: timestamp(until) }
  const taken = await db
    .insertInto('idempotency_keys')
    .values(row)
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet(row)
        .where((eb) =>
          eb.or([
            eb('idempotency_keys.expires_at', '<=', timestamp(now)),
            ...(old === undefined ? [] : [eb('idempotency_keys.answer', '=', old)]),
          ]),
        ),
    )
    .returning('id')
    .executeTakeFirst()
  return taken !== undefined
}

/** A key that is held, or whose answer is kept. `now` in milliseconds. */
export const findKey = (
  db: Db,
  id: string,
  now: number,
): Promise<{ request: string; answer: string | null } | undefined> =>
  db
    .selectFrom('idempotency_keys')
    .select(['request', 'answer'])
    .where('id', '=', id)
    .where('expires_at', '>', timestamp(now))
    .executeTakeFirst()

/** Keeps the answer, which `holder` has sealed, until a time in milliseconds. */
export const keepAnswer = (db: Db, { id, holder }: Claim, answer: string, until: number) =>
  db
    .updateTable('idempotency_keys')
    .set({ answer, expires_at: timestamp(until) })
    .where('id', '=', id)
    .where('holder', '=', holder)
    .execute()

/** Lets the key go, as if the request had never come. */
export const releaseKey = (db: Db, { id, holder }: Claim) =>
  db.deleteFrom('idempotency_keys').where('id', '=', id).where('holder', '=', holder).execute()

/** Deletes at most `limit` keys whose time is over, the oldest first. `now` in milliseconds. Returns how many there were. */
export async function deleteExpiredKeys(db: Db, now: number, limit: number): Promise<number> {
  const expired = db
    .selectFrom('idempotency_keys')
    .select('id')
    .where('expires_at', '<=', timestamp(now))
    .orderBy('expires_at')
    .limit(limit)
  return countDeleted(
    db.deleteFrom('idempotency_keys').where('id', 'in', expired).where('expires_at', '<=', timestamp(now)),
  )
}
