import { type Selectable, sql } from 'kysely'
import { type Db, engineOf } from '../../kernel/db/database.ts'
import { countDeleted } from '../../kernel/db/deleted.ts'
import { lookupQuery } from '../../kernel/db/lookup-query.ts'
import { preparedInsert, preparedQuery, preparedUpdate } from '../../kernel/db/prepared-query.ts'
import { USER_COLUMNS, type UserRow } from '../users/user.row.ts'
import type { SessionsTable } from './sessions.tables.ts'

export type SessionRow = Selectable<SessionsTable>

/** A user and the session of the request. */
export type IdentityRow = UserRow & {
  session_id: string
  generation: number
  seen: string
  session_created_at: string
  expires_at: string
  ended_at: string | null
  device_id: string | null
}

/** An identity with the columns needed to continue the session. */
export type SessionState = IdentityRow &
  Pick<SessionRow, 'known_device_id' | 'browser_cookie'> & {
    session_ip: string | null
    session_user_agent: string | null
    session_last_used_at: string
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

/** The query of an authenticated request. */
export const identitiesBySession = lookupQuery<IdentityRow>('identities_by_session', (db, isKey) =>
  identities(db).where(isKey('sessions.id')),
)

const states = (db: Db) =>
  identities(db).select([
    'sessions.known_device_id',
    'sessions.browser_cookie',
    'sessions.ip as session_ip',
    'sessions.user_agent as session_user_agent',
    'sessions.last_used_at as session_last_used_at',
  ])

const lockedState = preparedQuery<{ id: string }, SessionState>('state_for_update', (db, p) => {
  const state = states(db).where('sessions.id', '=', p('id'))
  return engineOf(db) === 'sqlite' ? state : state.forUpdate(['sessions'])
})

/** Reads an identity and locks its session until the transaction ends, so that concurrent refreshes advance it once. */
export const stateForUpdate = async (trx: Db, id: string): Promise<SessionState | undefined> =>
  (await lockedState(trx, { id }))[0]

/** Returns the known device of a session. */
export const deviceOfSession = (db: Db, id: string) =>
  db.selectFrom('sessions').select(['id', 'known_device_id']).where('id', '=', id).executeTakeFirst()

export const insertSession = preparedInsert('session_insert', 'sessions')

export const updateSession = preparedUpdate('session_update', 'sessions')

const live = (db: Db, userId: string, now: string) =>
  db.selectFrom('sessions').where('user_id', '=', userId).where('ended_at', 'is', null).where('expires_at', '>', now)

const lastUsedFirst = (db: Db, userId: string, now: string) =>
  live(db, userId, now).orderBy('last_used_at', 'desc').orderBy('id', 'desc')

export const liveSessions = (db: Db, userId: string, now: string, limit: number): Promise<SessionRow[]> =>
  lastUsedFirst(db, userId, now).selectAll().limit(limit).execute()

/** A position in the order of last use. */
export interface Cutoff {
  id: string
  last_used_at: string
}

/** Returns the most recently used live session after the `kept` most recent ones, not counting `newest`. */
export const cutoffOfSessions = preparedQuery<{ user_id: string; now: string; newest: string; kept: number }, Cutoff>(
  'session_cutoff',
  (db, p) =>
    lastUsedFirst(db, p('user_id'), p('now'))
      .where('id', '<>', p('newest'))
      .select(['id', 'last_used_at'])
      .offset(p('kept'))
      .limit(sql.lit(1)),
)

/** Returns up to `limit` live sessions at the cutoff or used before it, in no particular order. */
export async function sessionsUpToCutoff(
  db: Db,
  userId: string,
  now: string,
  { cutoff, newest, limit }: { cutoff: Cutoff; newest: string; limit: number },
): Promise<string[]> {
  const rows = await live(db, userId, now)
    .select('id')
    .where('id', '<>', newest)
    .where((eb) =>
      eb.or([
        eb('last_used_at', '<', cutoff.last_used_at),
        eb.and([eb('last_used_at', '=', cutoff.last_used_at), eb('id', '<=', cutoff.id)]),
      ]),
    )
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

export const endTheseSessions = (db: Db, ids: string[], now: string, reason: string) =>
  db.updateTable('sessions').set({ ended_at: now, end_reason: reason }).where('id', 'in', ids).execute()

/** Returns up to `limit` sessions of a user after one of them, oldest first. */
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

/** Deletes up to `limit` sessions that ended or expired before a time. Returns how many. Each column has an index. */
export async function deleteSessionsBefore(db: Db, before: string, limit: number): Promise<number> {
  const deleteBy = async (column: 'expires_at' | 'ended_at', max: number): Promise<number> => {
    const old = db.selectFrom('sessions').select('id').where(column, '<', before).orderBy(column).limit(max)
    return countDeleted(db.deleteFrom('sessions').where('id', 'in', old))
  }
  const ended = await deleteBy('ended_at', limit)
  return ended < limit ? ended + (await deleteBy('expires_at', limit - ended)) : ended
}

/** Selects sessions of a user: all, `only` one, or all `except` one. */
export interface SessionSelector {
  only?: string
  except?: string
}

/** Ends live sessions of a user. Returns how many. */
export async function endSessions(
  db: Db,
  userId: string,
  selector: SessionSelector,
  now: string,
  reason: string,
): Promise<number> {
  let query = db
    .updateTable('sessions')
    .set({ ended_at: now, end_reason: reason })
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
  if (selector.only !== undefined) query = query.where('id', '=', selector.only)
  if (selector.except !== undefined) query = query.where('id', '<>', selector.except)
  const { numUpdatedRows } = await query.executeTakeFirst()
  return Number(numUpdatedRows)
}
