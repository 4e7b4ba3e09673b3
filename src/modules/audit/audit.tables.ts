import type { Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    audit_events: AuditEventsTable
  }
}

export interface AuditEventsTable {
  id: string
  at: Time
  action: string
  outcome: 'success' | 'failure'
  actor_type: 'user' | 'anonymous' | 'operator' | 'system'
  actor_id: string | null
  target_id: string | null
  session_id: string | null
  request_id: string | null
  ip: string | null
  user_agent: string | null
  details: string
}
