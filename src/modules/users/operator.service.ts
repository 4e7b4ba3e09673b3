import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { requireValid } from '../../kernel/http/validation.ts'
import { OPERATOR } from '../../kernel/lib/call-context.ts'
import type { Config } from '../../settings/config.ts'
import type { Audit } from '../audit/audit.service.ts'
import { credentialsEvents } from '../credentials/credentials.events.ts'
import type { Credentials } from '../credentials/credentials.service.ts'
import { requirePassword } from '../credentials/password-policy.ts'
import type { Passwords } from '../credentials/passwords.ts'
import type { UserManagement } from './user-management.service.ts'
import { CreateUser, type ListUsers, type UpdateUser, type User } from './users.schemas.ts'
import type { UserRow, Users } from './users.service.ts'

interface Parts {
  database: Database
  config: Pick<Config, 'minPasswordLength'>
  passwords: Passwords
  users: Users
  audit: Audit
  credentials: Credentials
  userManagement: UserManagement
}

/** User management for the command line: users by their e-mail, under the same rules as over the API. */
export function createOperator({ database, config, passwords, users, audit, credentials, userManagement }: Parts) {
  /** Throws AppError `not_found`. */
  async function byEmail(email: string): Promise<UserRow> {
    const user = await users.byEmail(email)
    if (!user) throw new AppError(kernelErrors.not_found, { detail: `user ${email} does not exist` })
    return user
  }

  /** Throws AppError `validation_failed`, `password_refused`, `email_taken`. */
  async function create(input: CreateUser): Promise<User> {
    const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined))
    requireValid(CreateUser, given)
    return users.toUser(await userManagement.create(input, input.locale ?? 'en', OPERATOR))
  }

  async function* list(query: Pick<ListUsers, 'q' | 'role'>): AsyncGenerator<User> {
    let cursor: string | null | undefined
    do {
      const page = await users.list({ ...query, limit: 100, ...(cursor ? { cursor } : {}) })
      yield* page.users
      cursor = page.next_cursor
    } while (cursor)
  }

  /** Throws AppError `not_found`. */
  const find = async (email: string): Promise<User> => users.toUser(await byEmail(email))

  /** Throws AppError `not_found`, `last_admin`. */
  async function update(email: string, changes: UpdateUser): Promise<User> {
    const user = await byEmail(email)
    return users.toUser(await userManagement.change(user.id, changes, OPERATOR))
  }

  /** Throws AppError `not_found`, `password_refused`. */
  async function setPassword(email: string, password: string): Promise<User> {
    const user = await byEmail(email)
    requirePassword(password, { minLength: config.minPasswordLength, email: user.email, name: user.name })
    const hash = await passwords.hash(password)
    await database.transaction(async (trx) => {
      await credentials.set(trx, user, hash, 'password_changed')
      await audit.record(trx, OPERATOR, { event: credentialsEvents['password.changed'], target: user.id })
    })
    return users.toUser(user)
  }

  /** Throws AppError `not_found`, `last_admin`. */
  async function remove(email: string): Promise<User> {
    const user = await byEmail(email)
    await userManagement.remove(user.id, OPERATOR)
    return users.toUser(user)
  }

  return {
    create,
    list,
    find,
    update,
    setPassword,
    remove,
  }
}
