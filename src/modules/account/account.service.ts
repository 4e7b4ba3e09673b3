import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { doneBy, type Origin, SYSTEM } from '../../kernel/lib/call-context.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import type { Config } from '../../settings/config.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Auth } from '../auth/auth.service.ts'
import { credentialsErrors } from '../credentials/credentials.errors.ts'
import type { Credentials } from '../credentials/credentials.service.ts'
import type { OneTimeTokens } from '../credentials/one-time-tokens.service.ts'
import type { Mailer } from '../emails/mailer.service.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import { usersErrors } from '../users/users.errors.ts'
import { usersEvents } from '../users/users.events.ts'
import type { UserRow, Users } from '../users/users.service.ts'
import { accountEvents } from './account.events.ts'
import { accountMessages } from './account.messages.ts'
import type { ChangeEmail, UpdateProfile } from './account.schemas.ts'

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'accountDeletionGrace'>
  users: Users
  sessions: Sessions
  audit: Audit
  mailer: Mailer
  oneTimeTokens: OneTimeTokens
  auth: Pick<Auth, 'undoDeletion'>
  credentials: Credentials
}

/** What users do with their own account. */
export function createAccount(parts: Parts) {
  const { database, clock, config, users, sessions, audit, mailer, oneTimeTokens, auth, credentials } = parts

  /** Changes the caller's name or language. Throws AppError `precondition_failed`. */
  async function updateProfile(caller: Identity, changes: UpdateProfile, origin: Origin, versions?: readonly number[]) {
    return sessions.actAs(caller, async (trx) => {
      const { after, fields } = await users.update(trx, caller.id, changes, versions)
      if (fields.length > 0)
        await audit.record(trx, origin, {
          event: usersEvents['user.updated'],
          target: caller.id,
          details: { fields: fields.join(', ') },
          once: true,
        })
      return after
    })
  }

  /** Throws AppError `link_invalid`. */
  async function verifyEmail(token: string, origin: Origin): Promise<void> {
    await database.transaction(async (trx) => {
      const { user_id, email } = await oneTimeTokens.use(trx, 'verify_email', token)
      if (!(await users.verifyEmail(trx, user_id, email))) throw new AppError(credentialsErrors.link_invalid)
      await audit.record(trx, doneBy(origin, user_id), { event: accountEvents['email.verified'], target: user_id })
    })
  }

  async function resendVerification(caller: Identity): Promise<void> {
    if (caller.email_verified) return
    await sessions.actAs(caller, async (trx, current) => {
      if (!current.email_verified) await credentials.sendVerification(trx, current)
    })
  }

  /**
   * Sends a link to the new address and a notice to the old one.
   * Throws AppError `password_wrong`, `rate_limited`, `email_taken`, `validation_failed`.
   */
  async function requestEmailChange(caller: Identity, input: ChangeEmail, origin: Origin): Promise<void> {
    await credentials.confirmPassword(caller, input.password, origin)
    const { new_email: newEmail } = input
    if (newEmail === caller.email)
      throw new AppError(kernelErrors.validation_failed, {
        fields: [{ path: '/new_email', reason: 'same_email', text: accountMessages.same_email }],
      })
    const holder = await users.byEmail(newEmail)
    if (holder && holder.id !== caller.id) throw new AppError(usersErrors.email_taken)
    await credentials.actConfirmed(caller, async (trx, current) => {
      // Bound to the account as read at the start of the request, so that a change meanwhile invalidates the link.
      const link = () => oneTimeTokens.issue(trx, 'change_email', caller, newEmail)
      await mailer.send(trx, 'change_email_confirm', current, link, newEmail)
      await mailer.send(trx, 'change_email_notice', current, { newEmail })
      await audit.record(trx, origin, { event: accountEvents['email.change_requested'], target: caller.id })
    })
  }

  /** Throws AppError `link_invalid`, `email_taken`. */
  async function changeEmail(token: string, origin: Origin): Promise<void> {
    await database.transaction(async (trx) => {
      const { user_id, email } = await oneTimeTokens.use(trx, 'change_email', token)
      const { before } = await users.update(trx, user_id, { email, email_verified: true })
      await oneTimeTokens.revoke(trx, user_id, ['verify_email', 'reset_password'])
      await mailer.send(trx, 'email_changed', before, { newEmail: email, at: timestamp(clock.now()) })
      await audit.record(trx, doneBy(origin, user_id), { event: accountEvents['email.changed'], target: user_id })
    })
  }

  /**
   * Ends all sessions and schedules the deletion of the account.
   * Throws AppError `password_wrong`, `rate_limited`, `last_admin`.
   */
  async function requestDeletion(
    caller: Identity,
    password: string,
    origin: Origin,
  ): Promise<{ delete_after: string; isDeleted: boolean }> {
    await credentials.confirmPassword(caller, password, origin)
    const deleteAfter = timestamp(clock.now() + config.accountDeletionGrace)
    const isDeleted = config.accountDeletionGrace === 0
    await credentials.actConfirmed(caller, async (trx, current) => {
      if (isDeleted) return remove(trx, current, origin)
      await users.scheduleDeletion(trx, caller.id, deleteAfter)
      await sessions.end(trx, caller.id, {}, 'account_deleted')
      await oneTimeTokens.revoke(trx, caller.id, ['verify_email', 'reset_password', 'change_email'])
      await mailer.send(trx, 'account_deletion', current, async () => {
        const { link } = await oneTimeTokens.issue(trx, 'undo_deletion', current)
        return { deleteAfter, link }
      })
      await audit.record(trx, origin, { event: accountEvents['account.deletion_requested'], target: caller.id })
    })
    return { delete_after: deleteAfter, isDeleted }
  }

  /** Throws AppError `link_invalid`. */
  async function undoDeletion(token: string, origin: Origin): Promise<void> {
    await database.transaction(async (trx) => {
      const { user_id } = await oneTimeTokens.use(trx, 'undo_deletion', token)
      await auth.undoDeletion(trx, user_id, origin)
    })
  }

  /** Deletes a user and all their data. The audit log keeps only their id. */
  async function remove(trx: Db, user: UserRow, origin: Origin): Promise<void> {
    await users.remove(trx, user.id) // also deletes their queued and stored e-mails
    await mailer.send(trx, 'account_deleted', { ...user, id: null }, {})
    await audit.record(trx, origin, { event: accountEvents['account.deleted'], target: user.id })
  }

  /** Deletes up to `limit` accounts whose grace period has ended, except the last administrator. Returns how many. */
  async function deleteDue(limit: number): Promise<number> {
    let deleted = 0
    for (const user of await users.dueForDeletion(limit))
      try {
        await database.transaction(async (trx) => {
          const { delete_after } = await users.lock(trx, user.id)
          if (!delete_after || delete_after > timestamp(clock.now())) return // canceled meanwhile
          await remove(trx, user, SYSTEM)
          deleted++
        })
      } catch (error) {
        if (!(error instanceof AppError)) throw error
      }
    return deleted
  }

  const profile = (caller: Identity) => users.toUser(caller)

  /** Checks a link without using it. Throws AppError `link_invalid`. */
  const peekLink = (kind: Parameters<OneTimeTokens['peek']>[1], token: string) =>
    oneTimeTokens.peek(database.db, kind, token)

  return {
    profile,
    toUser: users.toUser,
    updateProfile,
    verifyEmail,
    resendVerification,
    requestEmailChange,
    changeEmail,
    requestDeletion,
    undoDeletion,
    peekLink,
    declares: { auditEvents: accountEvents, retention: { users: deleteDue } },
  }
}

export type Account = ReturnType<typeof createAccount>
