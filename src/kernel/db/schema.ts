import type { ColumnType, Generated } from 'kysely'

/** RFC 3339 in UTC with milliseconds on both engines (PostgreSQL keeps it as `timestamptz`): it sorts as text. */
type Time = string
/** 0 and 1 in SQLite, `boolean` in PostgreSQL: read it with `Boolean()`. */
type Flag = ColumnType<boolean | number, boolean, boolean>

export type Role = 'user' | 'admin'

export interface UsersTable {
  id: string
  /** As the person typed it. */
  email: string
  /** What makes an address unique, see `emailKey`. */
  email_key: string
  name: string
  /** The folded name: what a list is sorted by. */
  name_key: string
  /** What a search looks in, see `searchText`. */
  search_text: string
  password_hash: string | null
  role: Role
  is_active: Flag
  email_verified: Flag
  locale: 'ru' | 'en'
  /** Counts the changes that others may not overwrite unseen: the ETag. */
  version: Generated<number>
  created_at: Time
  updated_at: Time
  /** `NEVER` until the first login, so that a list sorted by it has no NULLs to step over. */
  last_login_at: Time
}

/** The `last_login_at` of a person who has not signed in yet. */
export const NEVER: Time = '1970-01-01T00:00:00.000Z'

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
  created_at: Time
  last_used_at: Time
  expires_at: Time
  ended_at: Time | null
  end_reason: string | null
}

export interface SchemaMigrationsTable {
  version: number
  name: string
  checksum: string
  applied_at: Time
}

/** Every table of the service. */
export interface Tables {
  users: UsersTable
  sessions: SessionsTable
  schema_migrations: SchemaMigrationsTable
}
