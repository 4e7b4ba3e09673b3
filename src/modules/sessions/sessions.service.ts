import { createHash } from 'node:crypto'
import type { Database, Db } from '../../kernel/db/database.ts'
import { isUnavailable } from '../../kernel/db/errors.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import type { Device, Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, DAY, timestamp } from '../../kernel/lib/clock.ts'
import type { Declaration } from '../../kernel/lib/declaration.ts'
import { newId } from '../../kernel/lib/ids.ts'
import { pagesOf } from '../../kernel/lib/json-text.ts'
import type { Config } from '../../settings/config.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Users } from '../users/users.service.ts'
import { createActing } from './acting.ts'
import {
  firstGeneration,
  isFirstUse,
  isSameBrowser,
  lastUse,
  parseGenerations,
  type Rules,
  refresh,
  see,
} from './generations.ts'
import { createIdentities } from './identities.ts'
import { columns, lastUseOf, toSession, useOf, withoutNulls } from './session.row.ts'
import { sessionsErrors } from './sessions.errors.ts'
import { sessionsEvents } from './sessions.events.ts'
import { type Session, SessionHistory } from './sessions.schemas.ts'
import * as store from './sessions.store.ts'
import type { EndReason } from './sessions.tables.ts'
import { createSurplus } from './surplus.ts'

export { isGeneration } from './generations.ts'
export type Identity = store.IdentityRow
export type SessionCutoff = store.Cutoff
export type { EndReason } from './sessions.tables.ts'

/** A live session, and the refresh generation to issue. */
export interface Grant {
  sessionId: string
  generation: number
  /** The known device of the session. */
  device: string
  /** When the session ends unless it is refreshed, in milliseconds since 1970. */
  expiresAt: number
}

/** How long ended sessions are stored. */
const RETENTION_MS = 30 * DAY

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'sessionIdle' | 'sessionMaxAge' | 'refreshGrace' | 'refreshTabTolerance' | 'maxSessions'>
  users: Users
  audit: Audit
}

/** The result of continuing a session, or of ending it because of a reused token. */
export type Continued =
  | { identity: Identity; reused: true }
  | {
      identity: Identity
      grant: Grant
      /** The token came from a tab with outdated tokens. */
      stale: boolean
      /** Whether this is the first refresh of the day (UTC). */
      firstOfDay: boolean
    }

/** Sessions: starts, continues, authenticates and ends them. `generations.ts` decides about refresh tokens. */
export function createSessions({ database, clock, config, users, audit }: Parts) {
  const identities = createIdentities(database)
  const expiry = (now: number, createdAt: number) =>
    Math.min(now + config.sessionIdle, createdAt + config.sessionMaxAge)

  /** Starts a session of a known device, or of a new one that gets the id of the session. */
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
   * Returns the current user and session of a verified access token. Records the first use of its generation; if the
   * database cannot write, the next call does. Throws AppError `session_ended`.
   */
  async function identify(sessionId: string, generation: number): Promise<Identity> {
    const identity = await identities.find(sessionId)
    if (!identity || !isAlive(identity.row, identity.expiresAt)) throw new AppError(sessionsErrors.session_ended)
    if (isFirstUse(identity.generations, generation))
      await recordUse(sessionId, generation).catch((error) => {
        if (!isUnavailable(error)) throw error
      })
    return identity.row
  }

  async function recordUse(sessionId: string, generation: number): Promise<void> {
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
   * Continues a session with a refresh token of a generation. A reused token ends the session: the caller reports
   * `reused` after the transaction. Throws AppError `session_ended`.
   * @param hasCookieOf returns whether the request has the cookie of a device
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
    const [last, current] = [lastUseOf(identity), useOf(device, cookie)]
    const verdict = refresh(state, generation, now, rulesOf(identity), isSameBrowser(last, current))
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
      ...withoutNulls(device),
      ...(identity.browser_cookie !== null && {
        // Set exactly, even to null, because the next request is compared with it.
        user_agent: device.user_agent,
        browser_cookie: lastUse(last, current).cookie,
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
   * Returns a text that stays the same while a session lives and the password is unchanged, and reveals neither. Null
   * for an ended session.
   */
  async function fingerprintOf(sessionId: string): Promise<string | null> {
    const identity = await identities.find(sessionId)
    if (!identity || !isAlive(identity.row, identity.expiresAt)) return null
    return createHash('sha256').update(`${sessionId}\n${identity.row.password_hash}`).digest('base64url')
  }

  async function list(userId: string, currentId: string | null): Promise<Session[]> {
    const rows = await store.liveSessions(database.db, userId, timestamp(clock.now()), config.maxSessions)
    return rows.map((row) => toSession(row, currentId))
  }

  /** Returns the known device of a session. */
  const deviceOf = async (db: Db, sessionId: string): Promise<string> =>
    (await store.deviceOfSession(db, sessionId))?.known_device_id ?? sessionId

  /** Ends live sessions of a user: all, `only` one, or all `except` one. Returns how many. */
  const end = (db: Db, userId: string, selector: store.SessionSelector, reason: EndReason): Promise<number> =>
    store.endSessions(db, userId, selector, timestamp(clock.now()), reason)

  /** Ends sessions on request, and records it in the audit log. */
  async function revoke(trx: Db, origin: Origin, userId: string, selector: store.SessionSelector, reason: EndReason) {
    const ended = await end(trx, userId, selector, reason)
    if (ended && selector.only !== undefined)
      await audit.record(trx, origin, {
        event: sessionsEvents['session.ended'],
        target: userId,
        sessionId: selector.only,
      })
    else if (ended)
      await audit.record(trx, origin, { event: sessionsEvents['sessions.ended'], target: userId, details: { ended } })
    return ended
  }

  /** Ends live sessions of the caller. Returns how many. Throws AppError `session_ended`. */
  const revokeOwn = (caller: Identity, selector: store.SessionSelector, origin: Origin): Promise<number> =>
    acting.actAs(caller, (trx) => {
      const isLogout = selector.only === caller.session_id || selector.only === undefined
      return revoke(trx, origin, caller.id, selector, isLogout ? 'logout' : 'revoked')
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
    fingerprintOf,
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
