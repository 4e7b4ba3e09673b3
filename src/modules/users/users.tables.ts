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
