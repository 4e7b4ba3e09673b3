import type { Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Locale } from '../../kernel/i18n/locale.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import type { Config } from '../../settings/config.ts'
import type { Audit } from '../audit/audit.service.ts'
import { credentialsEvents } from '../credentials/credentials.events.ts'
import type { Credentials } from '../credentials/credentials.service.ts'
import { requirePassword } from '../credentials/password-policy.ts'
import type { Passwords } from '../credentials/passwords.ts'
import { sessionsEvents } from '../sessions/sessions.events.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import { usersEvents } from './users.events.ts'
import type { CreateUser, ListUsers, UpdateUser } from './users.schemas.ts'
import { emailKey, type UserRow, type Users } from './users.service.ts'

interface Parts {
  config: Pick<Config, 'minPasswordLength'>
  passwords: Passwords
  users: Users
  sessions: Sessions
  audit: Audit
  credentials: Credentials
}

/** Fields that users may change themselves. */
const OWN_FIELDS = ['name', 'locale'] as const

/** What administrators do with users, and what users do with their own record under `/users`. */
export function createUserManagement({ config, passwords, users, sessions, audit, credentials }: Parts) {
  /** Throws AppError `password_refused`, `email_taken`. */
  async function create(input: CreateUser, locale: Locale, origin: Origin): Promise<UserRow> {
    const { password, ...rest } = input
    if (password !== undefined)
      requirePassword(password, { minLength: config.minPasswordLength, email: input.email, name: input.name })
    const queue = { key: origin.actor.type === 'user' ? origin.actor.id : origin.actor.type, priority: true }
    const passwordHash = password === undefined ? null : await passwords.hash(password, queue)
    return sessions.administer(origin, async (trx) => {
      const user = await users.create(trx, { ...rest, passwordHash, locale: input.locale ?? locale })
      if (passwordHash === null) await credentials.sendReset(trx, user)
      else if (!user.email_verified) await credentials.sendVerification(trx, user)
      await audit.record(trx, origin, {
        event: usersEvents['user.created'],
        target: user.id,
        details: { role: user.role },
      })
      return user
    })
  }

  /**
   * Changes a user. Users without the role `admin` may change only their own `name` and `locale`; the app may send
   * other fields with their current values. Throws AppError `forbidden`, and the errors of `users.update`.
   */
  async function update(
    caller: Identity,
    id: string,
    changes: UpdateUser,
    origin: Origin,
    versions?: readonly number[],
  ): Promise<UserRow> {
    const work = async (trx: Db, current: Identity) => {
      if (current.role !== 'admin') {
        if (current.id !== id) throw new AppError(kernelErrors.forbidden)
        refuseForeignFields(current, changes)
      }
      return applyChanges(trx, id, changes, origin, versions)
    }
    return sessions.actAs(caller, work, id)
  }

  /** Deactivating a user ends their sessions in the same transaction. */
  async function applyChanges(
    trx: Db,
    id: string,
    changes: UpdateUser,
    origin: Origin,
    versions?: readonly number[],
  ): Promise<UserRow> {
    const { before, after, fields } = await users.update(trx, id, changes, versions)
    if (fields.length === 0) return after
    const isDeactivated = before.is_active && !after.is_active
    if (isDeactivated) await sessions.end(trx, id, {}, 'deactivated')
    if (isDeactivated || before.email !== after.email) await credentials.revokeLinks(trx, id)
    if (emailKey(before.email) !== emailKey(after.email)) await credentials.notifyEmailChanged(trx, before, after)
    const details = {
      fields: fields.join(', '),
      ...(before.role !== after.role && { role_before: before.role, role: after.role }),
      ...(Boolean(before.is_active) !== Boolean(after.is_active) && { is_active: Boolean(after.is_active) }),
    }
    const isOwn = origin.actor.type === 'user' && origin.actor.id === id && isProfile(changes)
    await audit.record(trx, origin, { event: usersEvents['user.updated'], target: id, details, once: isOwn })
    return after
  }

  /** Throws AppError `not_found`, `precondition_failed`, `last_admin`. */
  async function remove(id: string, origin: Origin, versions?: readonly number[]): Promise<void> {
    const work = async (trx: Db) => {
      await users.remove(trx, id, versions)
      await audit.record(trx, origin, { event: usersEvents['user.deleted'], target: id })
    }
    await sessions.administer(origin, work, id)
  }

  /** Sends the user a link to set a password themselves (ASVS 6.4.6). Throws AppError `not_found`. */
  async function sendReset(id: string, origin: Origin): Promise<void> {
    const work = async (trx: Db) => {
      await credentials.sendReset(trx, await users.lock(trx, id))
      await audit.record(trx, origin, { event: credentialsEvents['password.reset_requested'], target: id })
    }
    await sessions.administer(origin, work, id)
  }

  async function find(id: string): Promise<UserRow> {
    const user = await users.byId(id)
    if (!user) throw new AppError(kernelErrors.not_found, { detail: `User ${id} does not exist.` })
    return user
  }

  /** Changes a user on behalf of an administrator or the operator. Throws the errors of `users.update`. */
  const change = (id: string, changes: UpdateUser, origin: Origin) =>
    sessions.administer(origin, (trx) => applyChanges(trx, id, changes, origin), id)

  async function view(id: string, origin: Origin): Promise<UserRow> {
    const user = await find(id)
    audit.recordView(origin, usersEvents['user.viewed'], id)
    return user
  }

  async function list(query: ListUsers, origin: Origin) {
    const page = await users.list(query)
    audit.recordView(origin, usersEvents['users.listed'])
    return page
  }

  async function sessionsOf(id: string, caller: Identity, origin: Origin) {
    await find(id)
    audit.recordView(origin, sessionsEvents['sessions.viewed'], id)
    return sessions.list(id, caller.session_id)
  }

  /** Ends one session of a user, or all of them. Throws AppError `not_found`. */
  async function endSessions(id: string, origin: Origin, only?: string): Promise<number> {
    await find(id)
    const work = async (trx: Db) => {
      const revoked = await sessions.revoke(trx, origin, id, only === undefined ? {} : { only }, 'revoked')
      if (only === undefined) await users.bumpSecurityVersion(trx, id)
      return revoked
    }
    const revoked = await sessions.administer(origin, work, id)
    if (only !== undefined && revoked === 0)
      throw new AppError(kernelErrors.not_found, { detail: `The user has no active session ${only}.` })
    return revoked
  }

  return {
    create,
    update,
    change,
    remove,
    sendReset,
    view,
    list,
    toUser: users.toUser,
    sessionsOf,
    endSessions,
    declares: { auditEvents: usersEvents },
  }
}

export type UserManagement = ReturnType<typeof createUserManagement>

/** Returns whether a change affects only fields that users may change themselves. */
const isProfile = (changes: UpdateUser): boolean =>
  Object.entries(changes).every(
    ([field, value]) => (OWN_FIELDS as readonly string[]).includes(field) || value === null || value === undefined,
  )

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
    throw new AppError(kernelErrors.forbidden, {
      detail: `Only an administrator can change ${foreign.map(([field]) => field).join(', ')}. You can change: ${own.join(', ')}.`,
    })
}
