import { createHash } from 'node:crypto'
import type { Database, Db } from '../../kernel/db/database.ts'
import { isUnavailable } from '../../kernel/db/errors.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import type { Device, Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, DAY, timestamp } from '../../kernel/lib/clock.ts'
import type { Declaration } from '../../kernel/lib/declaration.ts'
import { newId } from '../../kernel/lib/ids.ts'
import { pagesOf } from '../../kernel/lib/json-text.ts'
import { thenMaybeSync } from '../../kernel/lib/then-maybe-sync.ts'
import type { Config } from '../../settings/config.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Users } from '../users/users.service.ts'
import { createActing } from './acting.ts'
import {
  firstGeneration,
  isNews,
  isSameBrowser,
  lastUse,
  parseGenerations,
  type Rules,
  refresh,
  see,
} from './generations.ts'
import { createIdentities } from './identities.ts'
import { columns, known, lastUseOf, toSession, useOf } from './session.row.ts'
import { sessionsErrors } from './sessions.errors.ts'
import { sessionsEvents } from './sessions.events.ts'
import { type Session, SessionHistory } from './sessions.schemas.ts'
import * as store from './sessions.store.ts'
import type { EndReason } from './sessions.tables.ts'
import { createSurplus } from './surplus.ts'

export { isGeneration } from './generations.ts'
export type Identity = store.IdentityRow
export type SessionEdge = store.Edge
export type { EndReason } from './sessions.tables.ts'

/** A live session whose refresh generation may be handed out. */
export interface Grant {
  sessionId: string
  generation: number
  /** The known device of the session. */
  device: string
  /** Milliseconds since 1970 at which the session ends if nobody refreshes it. */
  expiresAt: number
}

/** How long sessions that are over can still be looked up. */
const RETENTION_MS = 30 * DAY

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'sessionIdle' | 'sessionMaxAge' | 'refreshGrace' | 'refreshTabTolerance' | 'maxSessions'>
  users: Users
  audit: Audit
}

/** How a session was continued, or that it was ended. */
export type Continued =
  | { identity: Identity; reused: true }
  | {
      identity: Identity
      grant: Grant
      /** The generation came from a tab that was left behind. */
      stale: boolean
      /** The first time on this day (UTC). */
      firstOfDay: boolean
    }

/** Sessions: begun, continued, seen in use, and ended. The rules of continuing are in `generations.ts`. */
export function createSessions({ database, clock, config, users, audit }: Parts) {
  const identities = createIdentities(database)
  const expiry = (now: number, createdAt: number) =>
    Math.min(now + config.sessionIdle, createdAt + config.sessionMaxAge)

  /** Begins a session, of a device that is known (`knownDevice`) or that will be known by the id of the session. */
  async function start(
    trx: Db,
    userId: string,
    device: Device,
    { knownDevice, isBrowser }: { knownDevice: string | null; isBrowser: boolean },
  ): Promise<Grant> {
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
      known_device_id: knownDevice,
      browser_cookie: isBrowser ? 'none' : null,
      created_at: timestamp(now),
      last_used_at: timestamp(now),
      expires_at: timestamp(expiresAt),
      ended_at: null,
      end_reason: null,
    })
    return { sessionId: id, generation: current, device: knownDevice ?? id, expiresAt }
  }

  /**
   * Who a verified access token speaks for, as they are now. Notes the first use of its generation; where the database
   * cannot write just now, as on a full disk, the next call does. Throws AppError `session_ended` when the session or its
   * user is over.
   */
  function identify(sessionId: string, generation: number): Identity | Promise<Identity> {
    return thenMaybeSync(identities.find(sessionId), (identity) => {
      if (!identity || !isAlive(identity.row, identity.expiresAt)) throw new AppError(sessionsErrors.session_ended)
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
      const state = await store.stateForUpdate(trx, sessionId)
      const now = clock.now()
      const next = state && see(parseGenerations(state), generation, now, rulesOf(state))
      if (next) await store.updateSession(trx, sessionId, { ...columns(next), last_used_at: timestamp(now) })
    })
  }

  const rulesOf = ({ browser_cookie }: store.SessionState): Rules => ({
    grace: config.refreshGrace,
    tolerance: browser_cookie === null ? 0 : config.refreshTabTolerance,
  })

  /**
   * Continues a session by a refresh token of a generation. `hasCookieOf` tells whether the request came with the cookie
   * of a device. A reused token ends the session; that is for the caller to tell, after the transaction: `reused`.
   * Throws AppError `session_ended`.
   */
  async function proceed(
    trx: Db,
    sessionId: string,
    generation: number,
    device: Device,
    hasCookieOf: (owner: { userId: string; device: string }) => boolean,
  ): Promise<Continued> {
    const identity = await store.stateForUpdate(trx, sessionId)
    if (!identity || !isAlive(identity, Date.parse(identity.expires_at)))
      throw new AppError(sessionsErrors.session_ended)
    const now = clock.now()
    const state = parseGenerations(identity)
    const knownDevice = identity.known_device_id ?? sessionId
    const cookie = hasCookieOf({ userId: identity.id, device: knownDevice }) ? 'shown' : 'none'
    const [last, present] = [lastUseOf(identity), useOf(device, cookie)]
    const verdict = refresh(state, generation, now, rulesOf(identity), isSameBrowser(last, present))
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
    if (verdict.kind !== 'advanced') {
      const expiresAt = Date.parse(identity.expires_at)
      const grant = { sessionId, generation: state.current, device: knownDevice, expiresAt }
      return { identity, grant, stale: verdict.kind === 'stale', firstOfDay: false }
    }
    const expiresAt = expiry(now, Date.parse(identity.session_created_at))
    await store.updateSession(trx, sessionId, {
      ...columns(verdict.next),
      ...known(device),
      ...(identity.browser_cookie !== null && {
        // Exact, also where it tells less than before: the next tab is compared with it.
        user_agent: device.user_agent,
        browser_cookie: lastUse(last, present).cookie,
      }),
      last_used_at: timestamp(now),
      expires_at: timestamp(expiresAt),
    })
    return {
      identity,
      grant: { sessionId, generation: verdict.next.current, device: knownDevice, expiresAt },
      stale: false,
      firstOfDay: identity.session_last_used_at.slice(0, 10) !== timestamp(now).slice(0, 10),
    }
  }

  const isAlive = (identity: Identity, expiresAt: number): boolean =>
    identity.ended_at === null && Boolean(identity.is_active) && expiresAt > clock.now()

  const acting = createActing({ database, users, isAlive })

  /**
   * A text that stays the same for as long as a session lives and its user keeps the password, and tells neither; null once
   * the session is over.
   */
  async function standingOf(sessionId: string): Promise<string | null> {
    const identity = await identities.find(sessionId)
    if (!identity || !isAlive(identity.row, identity.expiresAt)) return null
    return createHash('sha256').update(`${sessionId}\n${identity.row.password_hash}`).digest('base64url')
  }

  async function list(userId: string, currentId: string | null): Promise<Session[]> {
    const rows = await store.liveSessions(database.db, userId, timestamp(clock.now()), config.maxSessions)
    return rows.map((row) => toSession(row, currentId))
  }

  /** The known device from which a session was begun. */
  const deviceOf = async (db: Db, sessionId: string): Promise<string> =>
    (await store.deviceOfSession(db, sessionId))?.known_device_id ?? sessionId

  /** Ends live sessions of a user: all, `only` one, or all `except` one. Returns how many there were. */
  const end = (db: Db, userId: string, which: store.Which, reason: EndReason): Promise<number> =>
    store.endSessions(db, userId, which, timestamp(clock.now()), reason)

  /** The same, on request: with its event in the audit log. */
  async function revoke(trx: Db, origin: Origin, userId: string, which: store.Which, reason: EndReason) {
    const ended = await end(trx, userId, which, reason)
    if (ended && which.only !== undefined)
      await audit.record(trx, origin, {
        event: sessionsEvents['session.ended'],
        target: userId,
        sessionId: which.only,
      })
    else if (ended)
      await audit.record(trx, origin, { event: sessionsEvents['sessions.ended'], target: userId, details: { ended } })
    return ended
  }

  /** Ends live sessions of the caller. Returns how many there were. Throws AppError `session_ended`. */
  const revokeOwn = (caller: Identity, which: store.Which, origin: Origin): Promise<number> =>
    acting.actAs(caller, (trx) => {
      const isLogout = which.only === caller.session_id || which.only === undefined
      return revoke(trx, origin, caller.id, which, isLogout ? 'logout' : 'revoked')
    })

  const declares: Declaration = {
    auditEvents: sessionsEvents,
    retention: {
      sessions: (limit) => store.deleteSessionsBefore(database.db, timestamp(clock.now() - RETENTION_MS), limit),
    },
    personalData: {
      sessions: {
        schema: SessionHistory,
        pages: ({ id, session_id }) =>
          pagesOf(async (after, limit) =>
            (await store.sessionsAfter(database.reads, id, after, limit)).map((row) => ({
              ...toSession(row, session_id),
              ended_at: row.ended_at,
              end_reason: row.end_reason,
            })),
          ),
      },
    },
  }

  return {
    start,
    ...createSurplus({ clock, config }),
    identify,
    standingOf,
    proceed,
    ...acting,
    list,
    deviceOf,
    end,
    revoke,
    revokeOwn,
    declares,
  }
}

export type Sessions = ReturnType<typeof createSessions>
