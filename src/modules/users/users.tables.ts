import type { Generated } from 'kysely'
import type { Flag, Time } from '../../kernel/db/columns.ts'

declare module '../../kernel/db/tables.ts' {
  interface Tables {
    users: UsersTable
  }
}

export type Role = 'user' | 'admin'

export interface UsersTable {
  id: string
  /** As entered by the user. */
  email: string
  /** The unique form of the address: see `emailKey`. */
  email_key: string
  name: string
  /** The folded name, for sorting. */
  name_key: string
  /** The text that is searched: see `searchText`. */
  search_text: string
  password_hash: string | null
  role: Role
  is_active: Flag
  email_verified: Flag
  locale: 'ru' | 'en'
  /** Counts the changes that must not be overwritten unseen. Part of the ETag. */
  version: Generated<number>
  created_at: Time
  updated_at: Time
  /** `NEVER` until the first login, so that the sort order has no NULLs. */
  last_login_at: Time
  /** Counts the events that invalidate links to change the e-mail: docs/decisions/0030. */
  security_version: Generated<number>
  /** When the data is deleted, if the user has requested it. Until then the request can be canceled. */
  delete_after: Generated<Time | null>
}

/** The `last_login_at` of a user who has not signed in yet. */
export const NEVER: Time = '1970-01-01T00:00:00.000Z'
