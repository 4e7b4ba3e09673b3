import { type Clock, timestamp } from '../../kernel/clock.ts'
import type { Database } from '../../kernel/db/database.ts'
import type { Outbox } from '../../kernel/mail/outbox.ts'
import type { Origin } from '../../kernel/origin.ts'
import type { AuditEvent } from '../audit/audit.schemas.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Links } from '../mails/links.service.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import type { Throttle } from '../throttle/throttle.service.ts'
import type { Users } from '../users/users.service.ts'
import type { Export } from './account.schemas.ts'

interface Parts {
  database: Database
  clock: Clock
  users: Users
  sessions: Sessions
  audit: Audit
  throttle: Throttle
  links: Links
  outbox: Outbox
}

/** All that is stored of a person, for the person (GDPR, articles 15 and 20). */
export function createExports({ database, clock, users, sessions, audit, throttle, links, outbox }: Parts) {
  return {
    async of(caller: Identity, origin: Origin): Promise<Export> {
      await audit.record(database.db, origin, { action: 'account.exported', target: caller.id })
      const [all, devices, events, pending, mails] = await Promise.all([
        sessions.history(caller.id, caller.session_id),
        throttle.devicesOf(caller.id),
        audit.about(caller.id),
        links.pending(caller.id),
        outbox.to(caller.id),
      ])
      return {
        exported_at: timestamp(clock.now()),
        user: users.toUser(caller),
        delete_after: caller.delete_after,
        sessions: all,
        known_devices: devices,
        audit_events: events.map((event) => withoutOthers(event, caller.id)),
        links: pending,
        mails,
      }
    },
  }
}

/** Where an administrator was when they did something is no data of whom they did it to (GDPR, article 15, 4). */
const withoutOthers = (event: AuditEvent, userId: string): AuditEvent =>
  event.actor_type === 'user' && event.actor_id !== userId
    ? { ...event, session_id: null, request_id: null, ip: null, user_agent: null }
    : event

export type Exports = ReturnType<typeof createExports>
