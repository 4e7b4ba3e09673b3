import type { AuditEventsTable } from './modules/audit/audit.tables.ts'
import type { OneTimeTokensTable } from './modules/credentials/credentials.tables.ts'
import type { KnownDevicesTable, ThrottlesTable } from './modules/rate-limits/rate-limits.tables.ts'
import type { SessionsTable } from './modules/sessions/sessions.tables.ts'
import type { UsersTable } from './modules/users/users.tables.ts'

declare module './kernel/db/tables.ts' {
  /** The tables of the modules: one line for each. */
  interface Tables {
    audit_events: AuditEventsTable
    known_devices: KnownDevicesTable
    one_time_tokens: OneTimeTokensTable
    sessions: SessionsTable
    throttles: ThrottlesTable
    users: UsersTable
  }
}
