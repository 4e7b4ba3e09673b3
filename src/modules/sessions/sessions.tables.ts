import type { Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    sessions: SessionsTable
  }
}

export interface SessionsTable {
  id: string
  user_id: string
  /** The current refresh generation, and when recent ones were first seen: `generations.ts`. */
  generation: number
  seen: string
  device_id: string | null
  app_type: string | null
  app_version: string | null
  user_agent: string | null
  ip: string | null
  /** The known device of the session; null for a device that became known with the id of the session. */
  known_device_id: string | null
  /** Null unless a browser started the session; else whether its last use had the device cookie: `generations.ts`. */
  browser_cookie: 'none' | 'shown' | 'lost' | null
  created_at: Time
  last_used_at: Time
  expires_at: Time
  ended_at: Time | null
  end_reason: string | null
}

/** Why a session ended. */
export type EndReason =
  | 'logout'
  | 'revoked'
  | 'password_changed'
  | 'password_reset'
  | 'deactivated'
  | 'account_deleted'
  | 'refresh_reused'
  | 'superseded'
