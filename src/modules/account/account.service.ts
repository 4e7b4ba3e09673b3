import type { Config } from '../../kernel/config/config.ts'
import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { doneBy, type Origin, SYSTEM } from '../../kernel/lib/call-context.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import { newId } from '../../kernel/lib/ids.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Auth } from '../auth/auth.service.ts'
import { credentialsErrors } from '../credentials/credentials.errors.ts'
import { credentialsMessages } from '../credentials/credentials.messages.ts'
import type { OneTimeTokens } from '../credentials/one-time-tokens.service.ts'
import { requirePassword } from '../credentials/password-policy.ts'
import type { Passwords } from '../credentials/passwords.ts'
import type { Mailer } from '../emails/mailer.service.ts'
import type { KnownDevices } from '../rate-limits/known-devices.ts'
import type { RateLimits } from '../rate-limits/rate-limits.service.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import { usersErrors } from '../users/users.errors.ts'
import type { UserRow, Users } from '../users/users.service.ts'
import { accountMessages } from './account.messages.ts'
import type { ChangeEmail, ChangePassword, ResetPassword, UpdateProfile } from './account.schemas.ts'

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'minPasswordLength' | 'accountDeletionGrace'>
  passwords: Passwords
  users: Users
  sessions: Sessions
  audit: Audit
  mailer: Mailer
  oneTimeTokens: OneTimeTokens
  auth: Auth
  rateLimits: RateLimits
  knownDevices: KnownDevices
}

/** Known and unknown e-mails are answered after the same time, in ms: longer than either of them takes. */
const RESET_ANSWERED_AFTER = 80

/** What people do with their own account between signing up and leaving. */
export function createAccount(parts: Parts) {
  const {
    database,
    clock,
    config,
    passwords,
    users,
    sessions,
    audit,
    mailer,
    oneTimeTokens,
    auth,
    rateLimits,
    knownDevices,
  } = parts

  /** Throws AppError `precondition_failed`. */
  async function updateProfile(caller: Identity, changes: UpdateProfile, origin: Origin, versions?: readonly number[]) {
    return sessions.actAs(caller, async (trx) => {
      const { after, fields } = await users.update(trx, caller.id, changes, versions)
      if (fields.length > 0)
        await audit.record(trx, origin, {
          action: 'user.updated',
          target: caller.id,
          details: { fields: fields.join(', ') },
          once: true,
        })
      return after
    })
  }

  /** Changes the password and ends the other sessions. Throws AppError `password_wrong`, `password_refused`. */
  async function changePassword(caller: Identity, input: ChangePassword, origin: Origin): Promise<void> {
    await confirmPassword(caller, input.current_password, origin)
    const path = '/new_password'
    requirePassword(
      input.new_password,
      { minLength: config.minPasswordLength, email: caller.email, name: caller.name },
      path,
    )
    if (input.new_password.normalize('NFC') === input.current_password.normalize('NFC'))
      throw new AppError(credentialsErrors.password_refused, {
        fields: [{ path, reason: 'same_password', text: credentialsMessages.same_password }],
      })
    const hash = await passwords.hash(input.new_password, turnOf(caller.id))
    await actConfirmed(caller, async (trx, present) => {
      const device = await sessions.deviceOf(trx, caller.session_id)
      await auth.setPassword(trx, present, hash, 'password_changed', { except: caller.session_id, device })
      await audit.record(trx, origin, { action: 'password.changed', target: caller.id })
    })
  }

  /** Mails a link to a known and active person; says nothing of who is one, not even by the time that it takes. */
  async function requestReset(email: string, origin: Origin): Promise<void> {
    const { promise: later, resolve } = Promise.withResolvers<void>()
    setTimeout(resolve, RESET_ANSWERED_AFTER)
    await database.transaction(async (trx) => {
      const user = await users.byEmail(email, trx)
      if (user?.is_active) await auth.sendReset(trx, user)
      await audit.record(trx, origin, { action: 'password.reset_requested', target: user?.id ?? null })
    })
    await later
  }

  /**
   * Sets a password by a link and ends all sessions. The device with the link is the only one that is known from now on:
   * however strangers guess, its owner can sign in. Returns its token. Throws AppError `link_invalid`, `password_refused`.
   */
  async function resetPassword(input: ResetPassword, origin: Origin): Promise<string> {
    const { user_id } = await oneTimeTokens.peek(database.db, 'reset_password', input.token)
    const user = await users.byId(user_id)
    if (!user) throw new AppError(credentialsErrors.link_invalid)
    // The link outlives a password that is refused.
    requirePassword(
      input.new_password,
      { minLength: config.minPasswordLength, email: user.email, name: user.name },
      '/new_password',
    )
    const hash = await passwords.hash(input.new_password, turnOf(user_id))
    const device = newId(clock.now())
    await database.transaction(async (trx) => {
      const { email } = await oneTimeTokens.use(trx, 'reset_password', input.token)
      // By the link, as any other.
      if (!user.email_verified && !(await users.verifyEmail(trx, user.id, email)))
        throw new AppError(credentialsErrors.link_invalid)
      await auth.setPassword(trx, { ...user, email_verified: true }, hash, 'password_reset', { device })
      await audit.record(trx, doneBy(origin, user.id), { action: 'password.reset', target: user.id })
    })
    return knownDevices.encode({ userId: user.id, device })
  }

  /** Throws AppError `link_invalid`. */
  async function verifyEmail(token: string, origin: Origin): Promise<void> {
    await database.transaction(async (trx) => {
      const { user_id, email } = await oneTimeTokens.use(trx, 'verify_email', token)
      if (!(await users.verifyEmail(trx, user_id, email))) throw new AppError(credentialsErrors.link_invalid)
      await audit.record(trx, doneBy(origin, user_id), { action: 'email.verified', target: user_id })
    })
  }

  async function resendVerification(caller: Identity): Promise<void> {
    if (caller.email_verified) return
    await sessions.actAs(caller, async (trx, present) => {
      if (!present.email_verified) await auth.sendVerification(trx, present)
    })
  }

  /** Mails a link to the new address, and word of it to the old. Throws AppError `password_wrong`, `email_taken`. */
  async function requestEmailChange(caller: Identity, input: ChangeEmail, origin: Origin): Promise<void> {
    await confirmPassword(caller, input.password, origin)
    const { new_email: newEmail } = input
    if (newEmail === caller.email)
      throw new AppError(kernelErrors.validation_failed, {
        fields: [{ path: '/new_email', reason: 'same_email', text: accountMessages.same_email }],
      })
    const holder = await users.byEmail(newEmail)
    if (holder && holder.id !== caller.id) throw new AppError(usersErrors.email_taken)
    await actConfirmed(caller, async (trx, present) => {
      // Bound to the account as this request has found it: not to what a rescue has made of it meanwhile.
      const link = () => oneTimeTokens.issue(trx, 'change_email', caller, newEmail)
      await mailer.send(trx, 'change_email_confirm', present, link, newEmail)
      await mailer.send(trx, 'change_email_notice', present, { newEmail })
      await audit.record(trx, origin, { action: 'email.change_requested', target: caller.id })
    })
  }

  /** Throws AppError `link_invalid`, `email_taken`. */
  async function changeEmail(token: string, origin: Origin): Promise<void> {
    await database.transaction(async (trx) => {
      const { user_id, email } = await oneTimeTokens.use(trx, 'change_email', token)
      const { before } = await users.update(trx, user_id, { email, email_verified: true })
      await oneTimeTokens.revoke(trx, user_id, ['verify_email', 'reset_password'])
      await mailer.send(trx, 'email_changed', before, { newEmail: email, at: timestamp(clock.now()) })
      await audit.record(trx, doneBy(origin, user_id), { action: 'email.changed', target: user_id })
    })
  }

  /** Ends all sessions, and the account after the grace time. Throws AppError `password_wrong`, `last_admin`. */
  async function requestDeletion(
    caller: Identity,
    password: string,
    origin: Origin,
  ): Promise<{ delete_after: string; isGone: boolean }> {
    await confirmPassword(caller, password, origin)
    const deleteAfter = timestamp(clock.now() + config.accountDeletionGrace)
    const isGone = config.accountDeletionGrace === 0
    await actConfirmed(caller, async (trx, present) => {
      if (isGone) return remove(trx, present, origin)
      await users.deleteLater(trx, caller.id, deleteAfter)
      await sessions.end(trx, caller.id, {}, 'account_deleted')
      await oneTimeTokens.revoke(trx, caller.id, ['verify_email', 'reset_password', 'change_email'])
      await mailer.send(trx, 'account_deletion', present, async () => {
        const { link } = await oneTimeTokens.issue(trx, 'undo_deletion', present)
        return { deleteAfter, link }
      })
      await audit.record(trx, origin, { action: 'account.deletion_requested', target: caller.id })
    })
    return { delete_after: deleteAfter, isGone }
  }

  /** Throws AppError `link_invalid`. */
  async function undoDeletion(token: string, origin: Origin): Promise<void> {
    await database.transaction(async (trx) => {
      const { user_id } = await oneTimeTokens.use(trx, 'undo_deletion', token)
      await auth.undoDeletion(trx, user_id, origin)
    })
  }

  /** Deletes a person and all that belongs to them; the audit log keeps what was done, by id alone. */
  async function remove(trx: Db, user: UserRow, origin: Origin): Promise<void> {
    await users.remove(trx, user.id) // and with them the mails that were kept
    await mailer.send(trx, 'account_deleted', { ...user, id: null }, {})
    await audit.record(trx, origin, { action: 'account.deleted', target: user.id })
  }

  /** Deletes up to `limit` accounts whose grace time is over; the last administrator's stays. Returns how many. */
  async function purge(limit: number): Promise<number> {
    let deleted = 0
    for (const user of await users.dueForDeletion(limit))
      try {
        await database.transaction(async (trx) => {
          const { delete_after } = await users.lock(trx, user.id)
          if (!delete_after || delete_after > timestamp(clock.now())) return // kept after all, a moment ago
          await remove(trx, user, SYSTEM)
          deleted++
        })
      } catch (error) {
        if (!(error instanceof AppError)) throw error
      }
    return deleted
  }

  /**
   * A transaction of a caller whose password has been checked: where it was changed since, it was not their present one.
   * Throws AppError `password_wrong`, `session_ended`.
   */
  function actConfirmed<T>(caller: Identity, work: (trx: Db, present: Identity) => Promise<T>): Promise<T> {
    return sessions.actAs(caller, (trx, present) => {
      if (present.password_hash !== caller.password_hash) throw new AppError(credentialsErrors.password_wrong)
      return work(trx, present)
    })
  }

  /** Throws AppError `password_wrong`, `rate_limited`. */
  async function confirmPassword(caller: Identity, password: string, origin: Origin): Promise<void> {
    const attempt = await rateLimits.beginConfirmation(caller.id)
    const { ok } = await passwords.verify(caller.password_hash, password, turnOf(caller.id)).catch(attempt.abandon)
    if (ok) {
      await attempt.succeed()
      return
    }
    const { headers } = await attempt.fail()
    await audit.record(database.db, origin, {
      action: 'password.confirmation_failed',
      outcome: 'failure',
      target: caller.id,
    })
    throw new AppError(credentialsErrors.password_wrong, { headers })
  }

  return {
    profile: (caller: Identity) => users.toUser(caller),
    toUser: users.toUser,
    updateProfile,
    changePassword,
    requestReset,
    resetPassword,
    verifyEmail,
    resendVerification,
    requestEmailChange,
    changeEmail,
    requestDeletion,
    undoDeletion,
    remove,
    purge,
    /** Whether a link would still work; opening it uses nothing up. Throws AppError `link_invalid`. */
    peekLink: (kind: Parameters<OneTimeTokens['peek']>[1], token: string) =>
      oneTimeTokens.peek(database.db, kind, token),
  }
}

/** At the hashing threads: whoever is signed in, or has the link, waits behind no stranger. */
const turnOf = (userId: string) => ({ lane: userId, priority: true })

export type Account = ReturnType<typeof createAccount>
