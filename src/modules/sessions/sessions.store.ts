import type { Selectable } from 'kysely'
import { type Db, engineOf, hot } from '../../kernel/db/database.ts'
import type { SessionsTable } from '../../kernel/db/schema.ts'
import { USER_COLUMNS, type UserRow } from '../users/user.row.ts'

export type SessionRow = Selectable<SessionsTable>

/** A user, and the session by which they are here. */
export type IdentityRow = UserRow & {
  session_id: string
  generation: number
  seen: string
  session_created_at: string
  expires_at: string
  ended_at: string | null
  device_id: string | null
}

const identities = (db: Db) =>
  db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select([
      ...USER_COLUMNS,
      'sessions.id as session_id',
      'sessions.generation',
      'sessions.seen',
      'sessions.created_at as session_created_at',
      'sessions.expires_at',
      'sessions.ended_at',
      'sessions.device_id',
    ])

/** The one query of an authenticated request. */
export const identityBySession = hot<{ id: string }, IdentityRow>('identity_by_session', (db, p) =>
  identities(db).where('sessions.id', '=', p('id')),
)

/** The same, with the session locked until the transaction ends, so that of many refreshes at once one advances it. */
export async function identityForUpdate(trx: Db, id: string): Promise<IdentityRow | undefined> {
  if (engineOf(trx) === 'sqlite') return (await identityBySession(trx, { id }))[0]
  return identities(trx).where('sessions.id', '=', id).forUpdate(['sessions']).executeTakeFirst()
}

export const insertSession = (trx: Db, session: SessionsTable) => trx.insertInto('sessions').values(session).execute()

export const updateSession = (trx: Db, id: string, changes: Partial<SessionsTable>) =>
  trx.updateTable('sessions').set(changes).where('id', '=', id).execute()

export const liveSessions = (db: Db, userId: string, now: string): Promise<SessionRow[]> =>
  db
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('last_used_at', 'desc')
    .orderBy('id', 'desc')
    .execute()

/** Up to `limit` sessions of a user after one of them, the oldest first. */
export const sessionsAfter = (db: Db, userId: string, after: string, limit: number): Promise<SessionRow[]> =>
  db
    .selectFrom('sessions')
    .selectAll()
    .where('user_id', '=', userId)
    .where('id', '>', after)
    .orderBy('user_id')
    .orderBy('id')
    .limit(limit)
    .execute()

/** Deletes up to `limit` sessions that were over before a time; returns how many. */
export async function deleteSessionsBefore(db: Db, before: string, limit: number): Promise<number> {
  const old = db
    .selectFrom('sessions')
    .select('id')
    .where((eb) => eb.or([eb('expires_at', '<', before), eb('ended_at', '<', before)]))
    .limit(limit)
  const { numDeletedRows } = await db.deleteFrom('sessions').where('id', 'in', old).executeTakeFirst()
  return Number(numDeletedRows)
}

/** Ends live sessions of a user: all, one, or all but one. Returns how many there were. */
export async function endSessions(
  db: Db,
  userId: string,
  which: { only?: string; except?: string },
  now: string,
  reason: string,
): Promise<number> {
  let query = db
    .updateTable('sessions')
    .set({ ended_at: now, end_reason: reason })
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
  if (which.only !== undefined) query = query.where('id', '=', which.only)
  if (which.except !== undefined) query = query.where('id', '<>', which.except)
  const { numUpdatedRows } = await query.executeTakeFirst()
  return Number(numUpdatedRows)
}
