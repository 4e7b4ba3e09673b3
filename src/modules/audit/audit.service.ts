import { LRUCache } from 'lru-cache'
import type { Config } from '../../kernel/config/config.ts'
import type { Database, Db } from '../../kernel/db/database.ts'
import type { Cursors } from '../../kernel/http/pagination/cursors.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, MINUTE, timestamp } from '../../kernel/lib/clock.ts'
import { newId } from '../../kernel/lib/ids.ts'
import type { Action, AuditEvent, ListAuditEvents } from './audit.schemas.ts'
import * as store from './audit.store.ts'

export interface AuditEventInput {
  action: Action
  outcome?: 'success' | 'failure'
  /** Whom it was done to. */
  target?: string | null
  /** The session that it was about, where it is not the actor's own. */
  sessionId?: string | null
  /** Small facts; never a password, a token, or the e-mail of somebody we do not know. */
  details?: Record<string, string | number | boolean | null>
  /** Not written where the same session has done the same to the same target within `SAME_EVENT_MS`. */
  once?: boolean
}

/** A minute: somebody who writes on and on leaves an event in each, not one for each write. */
const SAME_EVENT_MS = MINUTE

const SORT = 'audit'

/** So often at most it is written down that one person looks at the same thing, by each instance. */
const VIEW_INTERVAL_MS = 10 * MINUTE
/** Of more views the least recent are forgotten, and may be recorded twice. */
const MAX_REMEMBERED_VIEWS = 10_000

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'auditRetention'>
  cursors: Cursors
}

/** The audit log (ASVS V16): who did what to whom, when, from where, with which outcome. */
export function createAudit({ database, clock, config, cursors }: Parts) {
  const views = new LRUCache<string, number>({ max: MAX_REMEMBERED_VIEWS })

  /** Writes an event, in the transaction of what it records where there is one: neither exists without the other. */
  async function record(trx: Db, origin: Origin, event: AuditEventInput): Promise<void> {
    const { actor, device } = origin
    const row = {
      id: newId(clock.now()),
      at: timestamp(clock.now()),
      action: event.action,
      outcome: event.outcome ?? ('success' as const),
      actor_type: actor.type,
      actor_id: actor.type === 'user' ? actor.id : null,
      target_id: event.target ?? null,
      session_id: event.sessionId ?? (actor.type === 'user' ? actor.sessionId : null),
      request_id: origin.requestId,
      ip: device.ip,
      user_agent: device.user_agent,
      details: JSON.stringify(event.details ?? {}),
    }
    if (event.once && (await store.hasSameEvent(trx, row, clock.now() - SAME_EVENT_MS))) return
    await store.insertEvent(trx, row)
  }

  /**
   * Notes that somebody looks at what is not their own. The read does not wait for it: a full disk must not keep an
   * administrator from looking, and the next look tries again.
   */
  function noteView(origin: Origin, action: Action, target: string | null = null): void {
    const { actor } = origin
    if (actor.type !== 'user' || actor.id === target) return
    const [key, now] = [`${actor.id} ${action} ${target}`, clock.now()]
    const last = views.get(key)
    if (last !== undefined && Math.abs(now - last) < VIEW_INTERVAL_MS) return
    views.set(key, now)
    record(database.db, origin, { action, target }).catch(() => views.delete(key))
  }

  return {
    record,
    noteView,

    /** One page, the newest first. Throws AppError `invalid_cursor`. */
    async list(query: ListAuditEvents): Promise<{ events: AuditEvent[]; next_cursor: string | null }> {
      const { limit = 50, cursor, from, to, ...filters } = query
      const before = cursor ? cursors.decode(cursor, SORT).id : undefined
      const range = { from: from && timestamp(Date.parse(from)), to: to && timestamp(Date.parse(to)) }
      const rows = await store.listEvents(database.reads, { ...filters, ...range, before, limit: limit + 1 })
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return {
        events: rows.slice(0, limit).map(toEvent),
        next_cursor: last ? cursors.encode({ sort: SORT, value: '', id: last.id, page: 1 }) : null,
      }
    },

    /** Deletes up to `limit` events that are older than they are to be kept. Returns how many. */
    purge: (limit: number) =>
      store.deleteEventsBefore(database.db, timestamp(clock.now() - config.auditRetention), limit),

    /** Up to `limit` events in which a person is the actor or the target, after the event `after`; for their export. */
    about: async (userId: string, after: string, limit: number): Promise<AuditEvent[]> =>
      (await store.eventsAbout(database.reads, userId, after, limit)).map(toEvent),
  }
}

export type Audit = ReturnType<typeof createAudit>

const toEvent = ({ details, ...row }: store.AuditRow): AuditEvent => ({
  ...row,
  action: row.action as Action,
  details: JSON.parse(details),
})
