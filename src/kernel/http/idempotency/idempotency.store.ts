import type { Db } from '../../db/database.ts'
import { countDeleted } from '../../db/deleted.ts'
import { timestamp } from '../../lib/clock.ts'

/** The claim of a running request on an idempotency key. */
export interface Claim {
  /** Keyed hash of the caller and the key. */
  id: string
  /** Keyed hash of the request. */
  request: string
  /** Identifies this run: only the holder may store a response or release the key. */
  holder: string
}

/**
 * Claims a key that is new, expired, or has the stored response `old`; the inserted row is the lock. Times are in
 * milliseconds. Returns false if another request holds the key.
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

/** Returns a key that is held or has a stored response. `now` in milliseconds. */
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

/** Stores the encrypted response of `holder` until a time in milliseconds. */
export const storeAnswer = (db: Db, { id, holder }: Claim, answer: string, until: number) =>
  db
    .updateTable('idempotency_keys')
    .set({ answer, expires_at: timestamp(until) })
    .where('id', '=', id)
    .where('holder', '=', holder)
    .execute()

/** Releases the key, so that a repeat runs again. */
export const releaseKey = (db: Db, { id, holder }: Claim) =>
  db.deleteFrom('idempotency_keys').where('id', '=', id).where('holder', '=', holder).execute()

/** Deletes up to `limit` expired keys, oldest first. `now` in milliseconds. Returns how many. */
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
