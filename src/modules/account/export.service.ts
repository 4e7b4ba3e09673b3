import { type Clock, timestamp } from '../../kernel/clock.ts'
import type { Database } from '../../kernel/db/database.ts'
import type { Outbox } from '../../kernel/mail/outbox.ts'
import type { Origin } from '../../kernel/origin.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import type { Users } from '../users/users.service.ts'
import type { Export } from './account.schemas.ts'

interface Parts {
  database: Database
  clock: Clock
  users: Users
  sessions: Sessions
  audit: Audit
  outbox: Outbox
}

/** All that is stored of a person, for the person (GDPR, articles 15 and 20). */
export function createExports({ database, clock, users, sessions, audit, outbox }: Parts) {
  return {
    async of(caller: Identity, origin: Origin): Promise<Export> {
      await audit.record(database.db, origin, { action: 'account.exported', target: caller.id })
      const [all, events, mails] = await Promise.all([
        sessions.history(caller.id, caller.session_id),
        audit.about(caller.id),
        outbox.to(caller.id),
      ])
      return {
        exported_at: timestamp(clock.now()),
        user: users.toUser(caller),
        delete_after: caller.delete_after,
        sessions: all,
        known_devices: [],
        audit_events: events,
        mails,
      }
    },
  }
}

export type Exports = ReturnType<typeof createExports>
