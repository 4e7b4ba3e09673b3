import type { Config } from '../../kernel/config.ts'
import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors.ts'
import type { Locale } from '../../kernel/i18n.ts'
import { requirePassword } from '../../kernel/password-policy.ts'
import type { Passwords } from '../../kernel/passwords.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import type { CreateUser, ListUsers, UpdateUser } from '../users/users.schemas.ts'
import type { UserRow, Users } from '../users/users.service.ts'

interface Parts {
  database: Database
  config: Pick<Config, 'minPasswordLength'>
  passwords: Passwords
  users: Users
  sessions: Sessions
}

/** Fields of a user that the person may change without an administrator. */
const OWN_FIELDS = ['name', 'locale'] as const

/** What administrators do with users, and users with their own entry under `/users`. */
export function createAdmin({ database, config, passwords, users, sessions }: Parts) {
  /** Throws AppError `password_refused`, `email_taken`. */
  async function create(input: CreateUser, locale: Locale): Promise<UserRow> {
    const { password, ...rest } = input
    if (password !== undefined)
      requirePassword(password, { minLength: config.minPasswordLength, email: input.email, name: input.name })
    const passwordHash = password === undefined ? null : await passwords.hash(password)
    return database.transaction((trx) => users.create(trx, { ...rest, passwordHash, locale: input.locale ?? locale }))
  }

  /**
   * Changes a user; one who is no administrator changes only their own name and language, though the app may send the
   * other fields along as they are. Throws AppError `forbidden`, and what `users.update` throws.
   */
  async function update(caller: Identity, id: string, changes: UpdateUser, version?: number): Promise<UserRow> {
    return database.transaction(async (trx) => {
      if (caller.role !== 'admin') refuseForeignFields(await users.lock(trx, id), changes)
      return applyChanges(trx, id, changes, version)
    })
  }

  /** A user who is deactivated is signed out in the same transaction. */
  async function applyChanges(trx: Db, id: string, changes: UpdateUser, version?: number): Promise<UserRow> {
    const { before, after } = await users.update(trx, id, changes, version)
    if (before.is_active && !after.is_active) await sessions.end(trx, id, {}, 'deactivated')
    return after
  }

  async function remove(id: string, version?: number): Promise<void> {
    await database.transaction((trx) => users.remove(trx, id, version))
  }

  async function find(id: string): Promise<UserRow> {
    const user = await users.byId(id)
    if (!user) throw new AppError('not_found', { detail: `There is no user ${id}.` })
    return user
  }

  return {
    create,
    update,
    /** The same without asking who wants it. */
    change: (id: string, changes: UpdateUser) => database.transaction((trx) => applyChanges(trx, id, changes)),
    remove,
    find,
    list: (query: ListUsers) => users.list(query),
    toUser: users.toUser,
    async sessionsOf(id: string, caller: Identity) {
      await find(id)
      return sessions.list(id, caller.session_id)
    },
    /** Ends one session of a user, or all. Throws AppError `not_found`. */
    async endSessions(id: string, only?: string): Promise<number> {
      await find(id)
      const revoked = await sessions.end(database.db, id, only === undefined ? {} : { only }, 'revoked')
      if (only !== undefined && revoked === 0)
        throw new AppError('not_found', { detail: `There is no live session ${only}.` })
      return revoked
    },
  }
}

export type Admin = ReturnType<typeof createAdmin>

function refuseForeignFields(user: UserRow, changes: UpdateUser): void {
  const own: readonly string[] = OWN_FIELDS
  const foreign = Object.entries(changes).filter(([field, value]) => {
    const now = user[field as keyof UpdateUser]
    return (
      !own.includes(field) &&
      value !== null &&
      value !== undefined &&
      value !== (typeof value === 'boolean' ? Boolean(now) : now)
    )
  })
  if (foreign.length)
    throw new AppError('forbidden', {
      detail: `Only an administrator can change ${foreign.map(([field]) => field).join(', ')}. Your own: ${own.join(', ')}.`,
    })
}
