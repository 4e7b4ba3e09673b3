import { LRUCache } from 'lru-cache'
import Type from 'typebox'
import type { Database, Db } from '../../kernel/db/database.ts'
import type { Cursors } from '../../kernel/http/pagination/cursors.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, MINUTE, timestamp } from '../../kernel/lib/clock.ts'
import type { AuditEventDefinition, Declaration } from '../../kernel/lib/declaration.ts'
import { newId } from '../../kernel/lib/ids.ts'
import { pagesOf } from '../../kernel/lib/json-text.ts'
import type { Config } from '../../settings/config.ts'
import { auditEvents } from './audit.events.ts'
import { type AuditEvent, DEFAULT_PAGE_SIZE, type ListAuditEvents } from './audit.schemas.ts'
import * as store from './audit.store.ts'

export interface AuditEventInput {
  event: AuditEventDefinition
  outcome?: 'success' | 'failure'
  /** The affected user. */
  target?: string | null
  /** The affected session, if it is not that of the actor. */
  sessionId?: string | null
  /** Short facts; never a password, a token, or the e-mail of someone without an account. */
  details?: Record<string, string | number | boolean | null>
  /** Skip the event if the same session caused the same one for the same target within `SAME_EVENT_MS`. */
  once?: boolean
}

/** Repeated writes leave one event per minute. */
const SAME_EVENT_MS = MINUTE

const SORT = 'audit'

/** The minimum interval between recorded views of the same resource by one user, on each instance. */
const VIEW_INTERVAL_MS = 10 * MINUTE
/** Beyond this, the least recent views are forgotten and may be recorded again. */
const MAX_CACHED_VIEWS = 10_000

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'auditRetention'>
  cursors: Cursors
}

/** The audit log (ASVS V16): who did what to whom, when, from where, with which outcome. */
export function createAudit({ database, clock, config, cursors }: Parts) {
  const views = new LRUCache<string, number>({ max: MAX_CACHED_VIEWS })

  /**
   * Records an event, in the transaction of the change if there is one, so that neither is stored without the other.
   */
  async function record(trx: Db, origin: Origin, { event, ...input }: AuditEventInput): Promise<void> {
    const { actor, device } = origin
    const row = {
      id: newId(clock.now()),
      at: timestamp(clock.now()),
      action: event.name,
      outcome: input.outcome ?? ('success' as const),
      actor_type: actor.type,
      actor_id: actor.type === 'user' ? actor.id : null,
      target_id: input.target ?? null,
      session_id: input.sessionId ?? (actor.type === 'user' ? actor.sessionId : null),
      request_id: origin.requestId,
      ip: device.ip,
      user_agent: device.user_agent,
      details: JSON.stringify(input.details ?? {}),
    }
    if (input.once && (await store.hasSameEvent(trx, row, clock.now() - SAME_EVENT_MS))) return
    await store.insertEvent(trx, row)
  }

  /**
   * Records that a user views data of others. The response does not wait for it: if the write fails, as on a full disk,
   * the next view tries again.
   */
  function recordView(origin: Origin, event: AuditEventDefinition, target: string | null = null): void {
    const { actor } = origin
    if (actor.type !== 'user' || actor.id === target) return
    const [key, now] = [`${actor.id} ${event.name} ${target}`, clock.now()]
    const last = views.get(key)
    if (last !== undefined && Math.abs(now - last) < VIEW_INTERVAL_MS) return
    views.set(key, now)
    record(database.db, origin, { event, target }).catch(() => views.delete(key))
  }

  /** Returns one page, newest first. Throws AppError `invalid_cursor`. */
  async function list(query: ListAuditEvents): Promise<{ events: AuditEvent[]; next_cursor: string | null }> {
    const { limit = DEFAULT_PAGE_SIZE, cursor, from, to, ...filters } = query
    const before = cursor ? cursors.decode(cursor, SORT).id : undefined
    const range = { from: from && timestamp(Date.parse(from)), to: to && timestamp(Date.parse(to)) }
    const rows = await store.listEvents(database.reads, { ...filters, ...range, before, limit: limit + 1 })
    const last = rows.length > limit ? rows[limit - 1] : undefined
    return {
      events: rows.slice(0, limit).map(toEvent),
      next_cursor: last ? cursors.encode({ sort: SORT, value: '', id: last.id, page: 1 }) : null,
    }
  }

  const declares: Declaration = {
    auditEvents,
    retention: {
      audit_events: (limit) =>
        store.deleteEventsBefore(database.db, timestamp(clock.now() - config.auditRetention), limit),
    },
    personalData: {
      audit_events: {
        schema: Type.Array(Type.Unsafe<AuditEvent>({ $ref: 'AuditEvent#' })),
        pages: ({ id }) =>
          pagesOf(async (after, limit) =>
            (await store.eventsAbout(database.reads, id, after, limit)).map((row) =>
              withoutActorOrigin(toEvent(row), id),
            ),
          ),
      },
    },
  }

  return { record, recordView, list, declares }
}

export type Audit = ReturnType<typeof createAudit>

const toEvent = ({ details, ...row }: store.AuditRow): AuditEvent => ({
  ...row,
  details: JSON.parse(details),
})

/** Removes where another user acted from: that is not personal data of the target (GDPR, article 15(4)). */
const withoutActorOrigin = (event: AuditEvent, userId: string): AuditEvent =>
  event.actor_type === 'user' && event.actor_id !== userId
    ? { ...event, session_id: null, request_id: null, ip: null, user_agent: null }
    : event
