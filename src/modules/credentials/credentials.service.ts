import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { doneBy, type Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import { newId } from '../../kernel/lib/ids.ts'
import type { Config } from '../../settings/config.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Mailer } from '../emails/mailer.service.ts'
import type { KnownDevices } from '../rate-limits/known-devices.ts'
import type { RateLimits } from '../rate-limits/rate-limits.service.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import { emailKey, type UserRow, type Users } from '../users/users.service.ts'
import { credentialsErrors } from './credentials.errors.ts'
import { credentialsEvents } from './credentials.events.ts'
import { credentialsMessages } from './credentials.messages.ts'
import type { ChangePassword, ResetPassword } from './credentials.schemas.ts'
import type { OneTimeTokens } from './one-time-tokens.service.ts'
import { requirePassword } from './password-policy.ts'
import type { Passwords } from './passwords.ts'

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'minPasswordLength'>
  passwords: Passwords
  users: Users
  sessions: Sessions
  audit: Audit
  mailer: Mailer
  oneTimeTokens: OneTimeTokens
  rateLimits: RateLimits
  knownDevices: KnownDevices
}

/**
 * The minimum duration of a reset request, longer than either takes, so that known and unknown e-mails take the same
 * time.
 */
const MIN_RESET_DURATION_MS = 80

/** Setting, changing, resetting and confirming passwords. */
export function createCredentials(parts: Parts) {
  const { database, clock, config, passwords, users, sessions, audit } = parts
  const { mailer, oneTimeTokens, rateLimits, knownDevices } = parts

  /**
   * Changes the password and ends all other sessions.
   * Throws AppError `password_wrong`, `password_refused`, `rate_limited`.
   */
  async function change(caller: Identity, input: ChangePassword, origin: Origin): Promise<void> {
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
    const hash = await passwords.hash(input.new_password, queueOf(caller.id))
    await actConfirmed(caller, async (trx, current) => {
      const device = await sessions.deviceOf(trx, caller.session_id)
      await set(trx, current, hash, 'password_changed', { except: caller.session_id, device })
      await audit.record(trx, origin, { event: credentialsEvents['password.changed'], target: caller.id })
    })
  }

  /**
   * Sends a reset link if the e-mail belongs to an active account. Result and duration do not reveal whether it does.
   */
  async function requestReset(email: string, origin: Origin): Promise<void> {
    const { promise: minDuration, resolve } = Promise.withResolvers<void>()
    setTimeout(resolve, MIN_RESET_DURATION_MS)
    await database.transaction(async (trx) => {
      const user = await users.byEmail(email, trx)
      if (user?.is_active) await sendReset(trx, user)
      await audit.record(trx, origin, {
        event: credentialsEvents['password.reset_requested'],
        target: user?.id ?? null,
      })
    })
    await minDuration
  }

  /**
   * Sets a password with the token of a link, ends all sessions and forgets all devices except the one with the link.
   * Returns the token of that device. Throws AppError `link_invalid`, `password_refused`.
   */
  async function reset(input: ResetPassword, origin: Origin): Promise<string> {
    const { user_id } = await oneTimeTokens.peek(database.db, 'reset_password', input.token)
    const user = await users.byId(user_id)
    if (!user) throw new AppError(credentialsErrors.link_invalid)
    // The token is not used yet: the link stays valid if the password is refused.
    requirePassword(
      input.new_password,
      { minLength: config.minPasswordLength, email: user.email, name: user.name },
      '/new_password',
    )
    const hash = await passwords.hash(input.new_password, queueOf(user_id))
    const device = newId(clock.now())
    await database.transaction(async (trx) => {
      const { email } = await oneTimeTokens.use(trx, 'reset_password', input.token)
      // Opening the link proves the e-mail address.
      if (!user.email_verified && !(await users.verifyEmail(trx, user.id, email)))
        throw new AppError(credentialsErrors.link_invalid)
      await set(trx, { ...user, email_verified: true }, hash, 'password_reset', { device })
      await audit.record(trx, doneBy(origin, user.id), { event: credentialsEvents['password.reset'], target: user.id })
    })
    return knownDevices.encode({ userId: user.id, device })
  }

  const sendVerification = (trx: Db, { id }: UserRow) => sendLink(trx, id, 'verify_email')
  const sendReset = (trx: Db, { id }: UserRow) => sendLink(trx, id, 'reset_password')

  /**
   * Sends a link to the current address of the user. The user is locked first, as wherever a link is created or used.
   */
  async function sendLink(trx: Db, id: string, kind: 'verify_email' | 'reset_password'): Promise<void> {
    const user = await users.lockIfExists(trx, id)
    if (user) await mailer.send(trx, kind, user, () => oneTimeTokens.issue(trx, kind, user))
  }

  /** Revokes links that an intruder may have requested. */
  const revokeLinks = (trx: Db, userId: string) => oneTimeTokens.revoke(trx, userId, ['reset_password', 'change_email'])

  /**
   * Sets a password, notifies the user and revokes their links. Ends all sessions but `except`, and forgets all devices
   * but `device`.
   */
  async function set(
    trx: Db,
    user: UserRow,
    hash: string,
    reason: 'password_changed' | 'password_reset',
    { device, ...selector }: { except?: string; device?: string } = {},
  ): Promise<void> {
    await users.setPassword(trx, user.id, hash)
    await revokeLinks(trx, user.id)
    await sessions.end(trx, user.id, selector, reason)
    await knownDevices.forgetAll(trx, user.id)
    if (device !== undefined) await knownDevices.remember(trx, { userId: user.id, device })
    await rateLimits.clearAccount(trx, { emailKey: emailKey(user.email), userId: user.id })
    await mailer.send(trx, 'password_changed', user, { at: timestamp(clock.now()) })
  }

  /** Notifies the old address of a change, and sends a verification link to the new one unless it is verified. */
  async function notifyEmailChanged(trx: Db, before: UserRow, after: UserRow): Promise<void> {
    await mailer.send(trx, 'email_changed', before, { newEmail: after.email, at: timestamp(clock.now()) })
    if (!after.email_verified) await sendVerification(trx, after)
  }

  /**
   * Runs `work` like `sessions.actAs`, and fails if the password was changed after it was checked.
   * Throws AppError `password_wrong`, `session_ended`.
   */
  function actConfirmed<T>(caller: Identity, work: (trx: Db, current: Identity) => Promise<T>): Promise<T> {
    return sessions.actAs(caller, (trx, current) => {
      if (current.password_hash !== caller.password_hash) throw new AppError(credentialsErrors.password_wrong)
      return work(trx, current)
    })
  }

  /** Checks the current password of a signed-in user. Throws AppError `password_wrong`, `rate_limited`. */
  async function confirmPassword(caller: Identity, password: string, origin: Origin): Promise<void> {
    const attempt = await rateLimits.beginConfirmation(caller.id)
    const { ok } = await passwords.verify(caller.password_hash, password, queueOf(caller.id)).catch(attempt.abandon)
    if (ok) {
      await attempt.succeed()
      return
    }
    const { headers } = await attempt.fail()
    await audit.record(database.db, origin, {
      event: credentialsEvents['password.confirmation_failed'],
      outcome: 'failure',
      target: caller.id,
    })
    throw new AppError(credentialsErrors.password_wrong, { headers })
  }

  return {
    change,
    requestReset,
    reset,
    set,
    sendVerification,
    sendReset,
    revokeLinks,
    notifyEmailChanged,
    confirmPassword,
    actConfirmed,
    declares: { auditEvents: credentialsEvents },
  }
}

export type Credentials = ReturnType<typeof createCredentials>

/** Hashing with priority, for signed-in users and holders of a valid link. */
const queueOf = (userId: string) => ({ key: userId, priority: true })
