import type { Selectable } from 'kysely'
import { etag } from '../../kernel/http/etag.ts'
import type { User } from './users.schemas.ts'
import { NEVER, type UsersTable } from './users.tables.ts'

/** A user without the columns that only queries use. */
export type UserRow = Omit<Selectable<UsersTable>, 'email_key' | 'name_key' | 'search_text'>

/** The columns of every query for a user, including joins in other modules. */
export const USER_COLUMNS = [
  'users.id',
  'users.email',
  'users.name',
  'users.password_hash',
  'users.role',
  'users.is_active',
  'users.email_verified',
  'users.locale',
  'users.version',
  'users.security_version',
  'users.created_at',
  'users.updated_at',
  'users.last_login_at',
  'users.delete_after',
] as const

/** Returns the entity tag of a user in responses. Signing in changes it through `last_login_at`, but not `version`. */
export const userEtag = ({ version, last_login_at }: Pick<UserRow, 'version' | 'last_login_at'>): string =>
  etag(version, last_login_at)

/** Converts a row to a user in responses. */
export const toUser = (
  row: Omit<UserRow, 'password_hash' | 'version' | 'security_version' | 'delete_after'>,
): User => ({
  id: row.id,
  email: row.email,
  name: row.name,
  role: row.role,
  is_active: Boolean(row.is_active),
  email_verified: Boolean(row.email_verified),
  locale: row.locale,
  created_at: row.created_at,
  updated_at: row.updated_at,
  last_login_at: row.last_login_at === NEVER ? null : row.last_login_at,
})
