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
  /** Counts what makes links to change the e-mail worthless: another address or password, and being shut out. */
  security_version: Generated<number>
  /** Set when the person has deleted the account: until then they can undo it. */
  delete_after: Generated<Time | null>
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

export interface SchemaMigrationsTable {
  version: number
  name: string
  checksum: string
  applied_at: Time
  /** The oldest version of the schema whose program may run on this one; the column is missing before migration 10. */
  compatible_from?: number | null
}

export interface OneTimeTokensTable {
  /** SHA-256 of the token, base64url: what is stored opens nothing. */
  token_hash: string
  user_id: string
  kind: string
  /** The address that the link was sent to. */
  email: string
  /** That of the account when it was asked for. */
  security_version: Generated<number>
  created_at: Time
  expires_at: Time
}

export interface OutboxTable {
  id: string
  user_id: string | null
  kind: string
  locale: 'ru' | 'en'
  recipient: string
  /** What the mail says, sealed, since it may hold a link; gone once it is sent. */
  payload: string | null
  created_at: Time
  next_try_at: Time
  tries: number
  claimed_until: Time
  sent_at: Time | null
  failed_at: Time | null
  last_error: string | null
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

/** Who does a job that only one instance may do at a time, and until when. */
export interface LeasesTable {
  name: string
  holder: string
  until: Time
}

export interface IdempotencyKeysTable {
  id: string
  request: string
  holder: string
  /** Sealed; null while the request runs. */
  answer: string | null
  /** Until then the key is held, or its answer kept. */
  expires_at: Time
}

/** How often something failed or was done lately. */
export interface ThrottlesTable {
  /** What is counted, with a keyed fingerprint of whom it is counted for. */
  key: string
  count: number
  last_at: Time
  /** From then on it counts as nothing. */
  expires_at: Time
}

/** Devices that have signed in to an account, and can prove it: `known-devices.ts`. */
export interface KnownDevicesTable {
  user_id: string
  /** An id of ours, which is in the tokens of the device. */
  device: string
  first_seen: Time
  last_seen: Time
}

/** The key of fingerprints, sealed with each secret that is or was in force: `lookup-key.ts`. */
export interface LookupKeysTable {
  secret_id: string
  sealed: string
  created_at: Time
}

/** Every table of the service. */
export interface Tables {
  users: UsersTable
  sessions: SessionsTable
  one_time_tokens: OneTimeTokensTable
  outbox: OutboxTable
  audit_events: AuditEventsTable
  leases: LeasesTable
  idempotency_keys: IdempotencyKeysTable
  throttles: ThrottlesTable
  known_devices: KnownDevicesTable
  lookup_keys: LookupKeysTable
  schema_migrations: SchemaMigrationsTable
}
