import type { Database, Db } from '../../kernel/db/database.ts'
import { isUnavailable } from '../../kernel/db/errors.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import type { Clock } from '../../kernel/lib/clock.ts'
import { timestamp } from '../../kernel/lib/clock.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Mailer } from '../emails/mailer.service.ts'
import { STALE_TAB } from '../rate-limits/policies.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import type { RateLimits } from '../rate-limits/rate-limits.service.ts'
import { sessionsEvents } from '../sessions/sessions.events.ts'
import type { Identity, SessionCutoff, Sessions } from '../sessions/sessions.service.ts'
import { authEvents } from './auth.events.ts'

interface Parts {
  database: Database
  clock: Clock
  sessions: Sessions
  audit: Audit
  mailer: Mailer
  rateLimits: RateLimits
}

/** How long a sign-in continues to end surplus sessions, in ms. */
const MAX_SURPLUS_MS = 3000

/** Events beside sign-in and refresh: surplus sessions, stale tabs and thefts. */
export function createSessionEvents({ database, clock, sessions, audit, mailer, rateLimits }: Parts) {
  /** Ends a batch of the sessions beyond MAX_SESSIONS. Returns whether there may be more. */
  async function endSurplus(trx: Db, userId: string, newest: string, cutoff: SessionCutoff, origin: Origin) {
    const { ids, hasMore } = await sessions.endSurplus(trx, userId, newest, cutoff)
    const reason = 'superseded'
    const [sessionId] = ids
    if (ids.length === 1 && sessionId)
      await audit.record(trx, origin, {
        event: sessionsEvents['session.ended'],
        target: userId,
        sessionId,
        details: { reason },
      })
    else if (ids.length > 1)
      await audit.record(trx, origin, {
        event: sessionsEvents['sessions.ended'],
        target: userId,
        details: { ended: ids.length, reason },
      })
    return hasMore
  }

  /**
   * Ends further batches, which exist only after an upgrade or a lower MAX_SESSIONS. The next sign-in ends the rest.
   */
  async function endRemaining(userId: string, newest: string, cutoff: SessionCutoff, origin: Origin): Promise<void> {
    try {
      const startedAt = performance.now()
      const isInTime = () => performance.now() - startedAt < MAX_SURPLUS_MS
      while (isInTime() && (await database.transaction((trx) => endSurplus(trx, userId, newest, cutoff, origin))));
    } catch (error) {
      if (!isUnavailable(error)) throw error
    }
  }

  /** Records that a tab used outdated tokens, within the limit STALE_TAB. */
  async function recordStaleTab(identity: Identity, generation: number, origin: Origin): Promise<void> {
    const { id, session_id: sessionId, generation: current } = identity
    try {
      await rateLimits.limit(STALE_TAB, sessionId)
    } catch (error) {
      if (error instanceof AppError && error.definition === rateLimitsErrors.rate_limited) return
      throw error
    }
    const details = { generation, current }
    await audit.record(database.db, origin, { event: authEvents['refresh.stale'], target: id, sessionId, details })
  }

  async function reportTheft(trx: Db, victim: Identity, generation: number, origin: Origin): Promise<void> {
    const { id, session_id, generation: current } = victim
    const details = { generation, current }
    await audit.record(trx, origin, {
      event: authEvents['refresh.reused'],
      outcome: 'failure',
      target: id,
      sessionId: session_id,
      details,
    })
    await mailer.send(trx, 'session_ended_reuse', victim, emailOriginOf(origin, clock))
  }

  return { endSurplus, endRemaining, recordStaleTab, reportTheft }
}

/** Returns the time, device and IP address of a request for an e-mail about it. */
export const emailOriginOf = ({ device }: Origin, clock: Clock) => ({
  at: timestamp(clock.now()),
  device: device.user_agent,
  appType: device.app_type,
  appVersion: device.app_version,
  ip: device.ip,
})
