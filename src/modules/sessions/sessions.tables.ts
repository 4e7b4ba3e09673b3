import type { Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    sessions: SessionsTable
  }
}

export interface SessionsTable {
  id: string
  user_id: string
  /** The refresh generation that is current, and when it and the ones before it were first seen: `generations.ts`. */
  generation: number
  seen: string
  device_id: string | null
  app_type: string | null
  app_version: string | null
  user_agent: string | null
  ip: string | null
  /** The known device from which it was begun; null where that was unknown till then: its id is then the session's. */
  known_device_id: string | null
  /** Null where no browser has begun it; else whether its last use showed the cookie of its device: `generations.ts`. */
  browser_cookie: 'none' | 'shown' | 'lost' | null
  created_at: Time
  last_used_at: Time
  expires_at: Time
  ended_at: Time | null
  end_reason: string | null
}

/** Why a session is over. */
export type EndReason =
  | 'logout'
  | 'revoked'
  | 'password_changed'
  | 'password_reset'
  | 'deactivated'
  | 'account_deleted'
  | 'refresh_reused'
  | 'superseded'
