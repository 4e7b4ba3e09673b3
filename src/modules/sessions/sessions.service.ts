import { andThen } from '../../kernel/and-then.ts'
import { type Clock, DAY, timestamp } from '../../kernel/clock.ts'
import type { Config } from '../../kernel/config.ts'
import type { Database, Db } from '../../kernel/db/database.ts'
import { isUnavailable } from '../../kernel/db/errors.ts'
import { AppError } from '../../kernel/errors.ts'
import { newId } from '../../kernel/ids.ts'
import type { Device } from '../../kernel/origin.ts'
import { firstGeneration, type Generations, isNews, parseGenerations, refresh, see } from './generations.ts'
import { createIdentities } from './identities.ts'
import type { Session } from './sessions.schemas.ts'
import * as store from './sessions.store.ts'

export type Identity = store.IdentityRow

export type EndReason =
  | 'logout'
  | 'revoked'
  | 'password_changed'
  | 'password_reset'
  | 'deactivated'
  | 'account_deleted'
  | 'refresh_reused'

/** A live session whose refresh generation may be handed out. */
export interface Grant {
  sessionId: string
  generation: number
  /** Milliseconds since 1970 at which the session ends if nobody refreshes it. */
  expiresAt: number
}

/** How long sessions that are over can still be looked up, in ms. */
const KEPT = 30 * DAY

type Settings = Pick<Config, 'sessionIdle' | 'sessionMaxAge' | 'refreshGrace'>

/** Sessions: begun, continued, seen in use, and ended. The rules of continuing are in `generations.ts`. */
export function createSessions({ database, clock, config }: { database: Database; clock: Clock; config: Settings }) {
  const identities = createIdentities(database)
  const expiry = (now: number, createdAt: number) =>
    Math.min(now + config.sessionIdle, createdAt + config.sessionMaxAge)

  async function start(trx: Db, userId: string, device: Device): Promise<Grant> {
    const now = clock.now()
    const { current, seen } = firstGeneration()
    const id = newId(now)
    const expiresAt = expiry(now, now)
    await store.insertSession(trx, {
      id,
      user_id: userId,
      generation: current,
      seen: JSON.stringify(seen),
      ...device,
      created_at: timestamp(now),
      last_used_at: timestamp(now),
      expires_at: timestamp(expiresAt),
      ended_at: null,
      end_reason: null,
    })
    return { sessionId: id, generation: current, expiresAt }
  }

  /**
   * Who a verified access token speaks for, as they are now. Notes the first use of its generation; where the database
   * cannot write just now, as on a full disk, the next call does. Throws AppError `session_ended` when the session or its
   * user is over.
   */
  function identify(sessionId: string, generation: number): Identity | Promise<Identity> {
    return andThen(identities.find(sessionId), (identity) => {
      if (!identity || !isAlive(identity.row, identity.expiresAt)) throw new AppError('session_ended')
      return isNews(identity.generations, generation)
        ? noteUse(sessionId, generation).then(
            () => identity.row,
            (error) => {
              if (isUnavailable(error)) return identity.row
              throw error
            },
          )
        : identity.row
    })
  }

  async function noteUse(sessionId: string, generation: number): Promise<void> {
    await database.transaction(async (trx) => {
      const identity = await store.identityForUpdate(trx, sessionId)
      const now = clock.now()
      const next = identity && see(parseGenerations(identity), generation, now, config.refreshGrace)
      if (next) await store.updateSession(trx, sessionId, { ...columns(next), last_used_at: timestamp(now) })
    })
  }

  /**
   * Continues a session by a refresh token of a generation. A reused one ends the session; that is for the caller to
   * tell, after the transaction: `reused`. Throws AppError `session_ended`.
   */
  async function proceed(
    trx: Db,
    sessionId: string,
    generation: number,
    device: Device,
  ): Promise<{ identity: Identity; grant: Grant } | { identity: Identity; reused: true }> {
    const identity = await store.identityForUpdate(trx, sessionId)
    if (!identity || !isAlive(identity, Date.parse(identity.expires_at))) throw new AppError('session_ended')
    const now = clock.now()
    const state = parseGenerations(identity)
    const verdict = refresh(state, generation, now, config.refreshGrace)
    if (verdict.kind === 'reused') {
      await store.endSessions(
        trx,
        identity.id,
        { only: sessionId },
        timestamp(now),
        'refresh_reused' satisfies EndReason,
      )
      return { identity, reused: true }
    }
    if (verdict.kind === 'repeated')
      return { identity, grant: { sessionId, generation: state.current, expiresAt: Date.parse(identity.expires_at) } }
    const expiresAt = expiry(now, Date.parse(identity.session_created_at))
    await store.updateSession(trx, sessionId, {
      ...columns(verdict.next),
      ...known(device),
      last_used_at: timestamp(now),
      expires_at: timestamp(expiresAt),
    })
    return { identity, grant: { sessionId, generation: verdict.next.current, expiresAt } }
  }

  const isAlive = (identity: Identity, expiresAt: number): boolean =>
    identity.ended_at === null && Boolean(identity.is_active) && expiresAt > clock.now()

  return {
    start,
    identify,
    proceed,
    async list(userId: string, currentId: string | null): Promise<Session[]> {
      const rows = await store.liveSessions(database.db, userId, timestamp(clock.now()))
      return rows.map((row) => toSession(row, currentId))
    },
    /** Deletes up to `limit` sessions that have long been over. Returns how many. */
    purge: (limit: number) => store.deleteSessionsBefore(database.db, timestamp(clock.now() - KEPT), limit),
    /** Up to `limit` sessions of a user that are still stored, after the session `after`; for their export. */
    async history(userId: string, currentId: string | null, after: string, limit: number) {
      const rows = await store.sessionsAfter(database.reads, userId, after, limit)
      return rows.map((row) => ({ ...toSession(row, currentId), ended_at: row.ended_at, end_reason: row.end_reason }))
    },
    /** Ends live sessions of a user: all, `only` one, or all `except` one. Returns how many there were. */
    end: (db: Db, userId: string, which: { only?: string; except?: string }, reason: EndReason): Promise<number> =>
      store.endSessions(db, userId, which, timestamp(clock.now()), reason),
  }
}

export type Sessions = ReturnType<typeof createSessions>

const columns = ({ current, seen }: Generations) => ({ generation: current, seen: JSON.stringify(seen) })

/** What a device tells about itself now; what it leaves out stays as it was. */
const known = (device: Device): Partial<Device> =>
  Object.fromEntries(Object.entries(device).filter(([, value]) => value !== null))

const toSession = (row: store.SessionRow, currentId: string | null): Session => ({
  id: row.id,
  current: row.id === currentId,
  device_id: row.device_id,
  app_type: row.app_type,
  app_version: row.app_version,
  user_agent: row.user_agent,
  ip: row.ip,
  created_at: row.created_at,
  last_used_at: row.last_used_at,
  expires_at: row.expires_at,
})
