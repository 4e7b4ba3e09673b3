import { sql, type Updateable } from 'kysely'
import { type Db, engineOf } from '../../kernel/db/database.ts'
import { preparedInsert, preparedQuery } from '../../kernel/db/prepared-query.ts'
import { USER_COLUMNS, type UserRow } from './user.row.ts'
import type { UsersTable } from './users.tables.ts'

export const userById = preparedQuery<{ id: string }, UserRow>('user_by_id', (db, p) =>
  db.selectFrom('users').select(USER_COLUMNS).where('users.id', '=', p('id')),
)

export const userByEmail = preparedQuery<{ email_key: string }, UserRow>('user_by_email', (db, p) =>
  db.selectFrom('users').select(USER_COLUMNS).where('users.email_key', '=', p('email_key')),
)

export const insertUser = preparedInsert('user_insert', 'users')

export type UserChanges = Omit<Updateable<UsersTable>, 'id' | 'version' | 'created_at' | 'updated_at'>

/** Changes a user and increments the version. */
export const updateUser = (db: Db, id: string, changes: UserChanges, now: string) =>
  db
    .updateTable('users')
    .set((eb) => ({ ...changes, updated_at: now, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .execute()

/** Marks an e-mail as verified if it is still that of the user. Returns whether it is. */
export async function verifyEmail(db: Db, id: string, email: string, now: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('users')
    .set((eb) => ({ email_verified: true, updated_at: now, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where('email', '=', email)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Increments `security_version`. Nothing visible changes, so `version` stays. */
export const bumpSecurityVersion = (db: Db, id: string) =>
  db
    .updateTable('users')
    .set((eb) => ({ security_version: eb('security_version', '+', 1) }))
    .where('id', '=', id)
    .execute()

/** Sets the last login. It is not an edit, so neither `version` nor `updated_at` changes. */
export const touchLogin = preparedQuery<{ id: string; now: string }, never>('user_touch_login', (db, p) =>
  db
    .updateTable('users')
    .set({ last_login_at: p('now') })
    .where('id', '=', p('id')),
)

export const setPasswordHash = (db: Db, id: string, password_hash: string) =>
  db.updateTable('users').set({ password_hash }).where('id', '=', id).execute()

export const deleteUser = (db: Db, id: string) => db.deleteFrom('users').where('id', '=', id).execute()

export const usersToDelete = (db: Db, now: string, limit: number): Promise<UserRow[]> =>
  db.selectFrom('users').select(USER_COLUMNS).where('delete_after', '<=', now).limit(limit).execute()

const lockedUser = preparedQuery<{ id: string }, UserRow>('user_for_update', (db, p) => {
  const user = db.selectFrom('users').select(USER_COLUMNS).where('users.id', '=', p('id'))
  return engineOf(db) === 'sqlite' ? user : user.forNoKeyUpdate()
})

/** Reads a user and locks it until the transaction ends. SQLite has a single writer and needs no lock. */
export const userForUpdate = async (trx: Db, id: string): Promise<UserRow | undefined> =>
  (await lockedUser(trx, { id }))[0]

/** Locks users until the transaction ends, always in the order of their ids. */
export async function lockUsers(trx: Db, ids: readonly string[]): Promise<void> {
  if (engineOf(trx) === 'sqlite') return
  await trx.selectFrom('users').select('id').where('id', 'in', ids).orderBy('id').forNoKeyUpdate().execute()
}

/** The key of the advisory lock. The migrator and other programs on the same database must not use it. */
const ADMINS_LOCK = 7_206_514_204

/**
 * Counts the active administrators other than one user. An advisory lock serializes the callers until their
 * transactions end; locking the rows would lead to deadlocks: docs/decisions/0011.
 */
export async function countOtherAdmins(trx: Db, id: string): Promise<number> {
  if (engineOf(trx) === 'postgres') await sql`select pg_advisory_xact_lock(${sql.lit(ADMINS_LOCK)})`.execute(trx)
  const admins = await trx
    .selectFrom('users')
    .select(['id'])
    .where('role', '=', 'admin')
    .where('is_active', '=', true)
    .where('delete_after', 'is', null)
    .execute()
  return admins.filter((admin) => admin.id !== id).length
}
