import { sql } from 'kysely'
import type { Db } from '../../kernel/db/database.ts'
import { countDeleted } from '../../kernel/db/deleted.ts'
import { preparedQuery } from '../../kernel/db/prepared-query.ts'

export interface CountRow {
  key: string
  count: number
  last_at: string
  expires_at: string
}

/** How many devices a request can claim at once: by header, access token and cookie. */
export const MAX_CLAIMED_DEVICES = 3

/**
 * Everything that a sign-in reads: the counts of the account, of its networks and of each claimed device, and, with the
 * device as key, the claimed devices that are known.
 */
export const countsAndDevices = preparedQuery<
  Record<'account' | 'address' | 'site' | 'user_id' | `key_${1 | 2 | 3}` | `device_${1 | 2 | 3}`, string>,
  CountRow
>('throttle_counts_and_devices', (db, p) =>
  db
    .selectFrom('throttles')
    .select(['key', 'count', 'last_at', 'expires_at'])
    .where('key', 'in', [p('account'), p('address'), p('site'), p('key_1'), p('key_2'), p('key_3')])
    .unionAll(
      db
        .selectFrom('known_devices')
        .select(['device as key', sql<number>`0`.as('count'), 'last_seen as last_at', 'last_seen as expires_at'])
        .where('user_id', '=', p('user_id'))
        .where('device', 'in', [p('device_1'), p('device_2'), p('device_3')]),
    ),
)

export const countOf = preparedQuery<{ key: string }, CountRow>('throttle_count', (db, p) =>
  db.selectFrom('throttles').select(['key', 'count', 'last_at', 'expires_at']).where('key', '=', p('key')),
)

/** Increases a count, from zero if it has expired. Returns no row, and writes nothing, if `quota` is reached. */
export const countUp = preparedQuery<
  { key: string; by: number; now: string; expires: string; quota: number },
  { count: number }
>('throttle_count_up', (db, p) =>
  db
    .insertInto('throttles')
    .values({ key: p('key'), count: p('by'), last_at: p('now'), expires_at: p('expires') })
    .onConflict((conflict) =>
      conflict
        .column('key')
        .doUpdateSet((eb) => ({
          count: eb
            .case()
            .when('throttles.expires_at', '<=', eb.ref('excluded.last_at'))
            .then(eb.ref('excluded.count'))
            .else(eb('throttles.count', '+', eb.ref('excluded.count')))
            .end(),
          last_at: eb.ref('excluded.last_at'),
          expires_at: eb.ref('excluded.expires_at'),
        }))
        .where((eb) =>
          eb.or([eb('throttles.count', '<', p('quota')), eb('throttles.expires_at', '<=', eb.ref('excluded.last_at'))]),
        ),
    )
    .returning('throttles.count'),
)

/** Increments a count if it still equals `expected`: of concurrent attempts on any instance, one gets a row. */
export const claim = preparedQuery<{ key: string; expected: number; now: string; expires: string }, { count: number }>(
  'throttle_claim',
  (db, p) =>
    db
      .updateTable('throttles')
      .set((eb) => ({ count: eb('count', '+', eb.lit(1)), last_at: p('now'), expires_at: p('expires') }))
      .where('key', '=', p('key'))
      .where('count', '=', p('expected'))
      .returning('count'),
)

/** Reverts a claim. */
export const release = preparedQuery<{ key: string; last_at: string }, { count: number }>('throttle_release', (db, p) =>
  db
    .updateTable('throttles')
    .set((eb) => ({ count: eb('count', '-', eb.lit(1)), last_at: p('last_at') }))
    .where('key', '=', p('key'))
    .where((eb) => eb('count', '>', eb.lit(0)))
    .returning('count'),
)

export const clear = (db: Db, key: string) => db.deleteFrom('throttles').where('key', '=', key).execute()

/** Deletes the count of a key, and those of keys that start with it and a colon. */
export const clearAll = (db: Db, key: string) =>
  db
    .deleteFrom('throttles')
    .where((eb) => eb.or([eb('key', '=', key), eb.and([eb('key', '>=', `${key}:`), eb('key', '<', `${key};`)])]))
    .execute()

export const rememberDevice = preparedQuery<{ user_id: string; device: string; now: string }, never>(
  'device_remember',
  (db, p) =>
    db
      .insertInto('known_devices')
      .values({ user_id: p('user_id'), device: p('device'), first_seen: p('now'), last_seen: p('now') })
      .onConflict((conflict) => conflict.columns(['user_id', 'device']).doUpdateSet({ last_seen: p('now') })),
)

export const touchDevice = (trx: Db, userId: string, device: string, now: string) =>
  trx
    .updateTable('known_devices')
    .set({ last_seen: now })
    .where('user_id', '=', userId)
    .where('device', '=', device)
    .execute()

const oldestDevices = preparedQuery<{ user_id: string; newest: string; kept: number }, { device: string }>(
  'devices_oldest',
  (db, p) =>
    db
      .selectFrom('known_devices')
      .select('device')
      .where('user_id', '=', p('user_id'))
      .where('device', '<>', p('newest'))
      .orderBy('last_seen', 'desc')
      .orderBy('device', 'desc')
      .offset(p('kept'))
      .limit(sql.lit(1000)),
)

/** Deletes all known devices of a user except `newest` and the `kept` most recently used others. */
export async function forgetOldestDevices(
  trx: Db,
  userId: string,
  { newest, kept }: { newest: string; kept: number },
): Promise<void> {
  const oldest = await oldestDevices(trx, { user_id: userId, newest, kept })
  if (oldest.length === 0) return
  const devices = oldest.map(({ device }) => device)
  await trx.deleteFrom('known_devices').where('user_id', '=', userId).where('device', 'in', devices).execute()
}

/** Deletes all known devices of a user, which invalidates their tokens. */
export const forgetDevices = (trx: Db, userId: string) =>
  trx.deleteFrom('known_devices').where('user_id', '=', userId).execute()

export const devicesOf = (db: Db, userId: string) =>
  db
    .selectFrom('known_devices')
    .select(['first_seen', 'last_seen'])
    .where('user_id', '=', userId)
    .orderBy('first_seen')
    .execute()

/** Deletes up to `limit` expired counts. Returns how many. */
export async function deleteExpired(db: Db, now: string, limit: number): Promise<number> {
  const expired = db.selectFrom('throttles').select('key').where('expires_at', '<=', now).limit(limit)
  return countDeleted(db.deleteFrom('throttles').where('key', 'in', expired))
}

/** Deletes up to `limit` devices not seen since `before`. Returns how many. */
export async function deleteForgotten(db: Db, before: string, limit: number): Promise<number> {
  const forgotten = await db
    .selectFrom('known_devices')
    .select(['user_id', 'device'])
    .where('last_seen', '<', before)
    .limit(limit)
    .execute()
  for (const { user_id, device } of forgotten)
    await db.deleteFrom('known_devices').where('user_id', '=', user_id).where('device', '=', device).execute()
  return forgotten.length
}
