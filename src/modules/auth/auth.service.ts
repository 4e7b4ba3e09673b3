import { setTimeout as pause } from 'node:timers/promises'
import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Locale } from '../../kernel/i18n/locale.ts'
import { doneBy, type Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, MINUTE, timestamp } from '../../kernel/lib/clock.ts'
import { newId } from '../../kernel/lib/ids.ts'
import { createKeyedMutex } from '../../kernel/lib/keyed-mutex.ts'
import type { Config } from '../../settings/config.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Credentials } from '../credentials/credentials.service.ts'
import type { OneTimeTokens } from '../credentials/one-time-tokens.service.ts'
import { requirePassword } from '../credentials/password-policy.ts'
import type { Passwords } from '../credentials/passwords.ts'
import type { Mailer } from '../emails/mailer.service.ts'
import type { DeviceClaims, KnownDevices } from '../rate-limits/known-devices.ts'
import type { RateLimits } from '../rate-limits/rate-limits.service.ts'
import type { RefreshClaims, RefreshTokens } from '../sessions/refresh-token.ts'
import { sessionsErrors } from '../sessions/sessions.errors.ts'
import type { Grant, Identity, Sessions } from '../sessions/sessions.service.ts'
import { usersErrors } from '../users/users.errors.ts'
import type { User } from '../users/users.schemas.ts'
import { emailKey, type UserRow, type Users } from '../users/users.service.ts'
import { NEVER } from '../users/users.tables.ts'
import type { AccessTokens } from './access-tokens.ts'
import { authErrors } from './auth.errors.ts'
import { authEvents } from './auth.events.ts'
import type { Login, Register, SignedInUser } from './auth.schemas.ts'
import type { Evidence } from './evidence.ts'
import { createSessionEvents, emailOriginOf } from './session-events.ts'

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'minPasswordLength' | 'requireVerifiedEmail'>
  passwords: Passwords
  users: Users
  sessions: Sessions
  tokens: AccessTokens
  refreshTokens: RefreshTokens
  audit: Audit
  mailer: Mailer
  oneTimeTokens: OneTimeTokens
  rateLimits: RateLimits
  knownDevices: KnownDevices
  credentials: Credentials
}

/** The minimum interval between verification links for an unverified user who tries to sign in, in ms. */
const LINK_INTERVAL_MS = 10 * MINUTE

/** How long a refused sign-in is held, in ms. */
const REFUSAL_DELAY_MS = 30

/** Registration, sign-in and refresh. */
export function createAuth(parts: Parts) {
  const { database, clock, config, passwords, users, sessions, tokens, refreshTokens, audit, mailer, oneTimeTokens } =
    parts
  const { rateLimits, knownDevices, credentials } = parts
  const sessionEvents = createSessionEvents(parts)
  const { runExclusive } = createKeyedMutex()

  /** Creates an account. Throws AppError `password_refused`, `email_taken`, `overloaded`. */
  async function register(
    input: Register,
    locale: Locale,
    origin: Origin,
  ): Promise<{ user: User; device_token: string }> {
    requirePassword(input.password, { minLength: config.minPasswordLength, ...input })
    // Serialized by address: of concurrent registrations, only the first hashes a password.
    const device = newId(clock.now())
    const row = await runExclusive(emailKey(input.email), async () => {
      if (await users.byEmail(input.email)) throw new AppError(usersErrors.email_taken)
      const passwordHash = await passwords.hash(input.password, { key: origin.network ?? '' })
      return database.transaction(async (trx) => {
        const user = await users.create(trx, { ...input, passwordHash, locale: input.locale ?? locale })
        await credentials.sendVerification(trx, user)
        await knownDevices.remember(trx, { userId: user.id, device })
        await audit.record(trx, doneBy(origin, user.id), { event: authEvents['user.registered'], target: user.id })
        return user
      })
    })
    return { user: users.toUser(row), device_token: knownDevices.encode({ userId: row.id, device }) }
  }

  /**
   * Checks the password and starts a session. Throws AppError `rate_limited`, `invalid_credentials`,
   * `account_inactive`, `email_not_verified`, `account_deletion_pending`, `overloaded`.
   */
  async function login(input: Login, origin: Origin, evidence: Evidence): Promise<SignedInUser> {
    const claims = await claimedDevices(evidence)
    if (claims.length === 0) await requireCapacity(origin)
    const user = await users.byEmail(input.email)
    // Unknown e-mails take the same time, so that it does not reveal which accounts exist.
    const attempt = await rateLimits.beginLogin({
      emailKey: emailKey(input.email),
      userId: user?.id ?? null,
      devices: claims.filter(({ userId }) => userId === user?.id).map(({ device }) => device),
      origin,
    })
    const knownDevice = attempt.device
    // Known devices have a reserved share of the hashing threads, fair by account; all others share fairly by network.
    const queue = user && knownDevice ? { key: user.id, priority: true } : { key: origin.network ?? '' }
    const { ok, rehash } = await passwords
      .verify(user?.password_hash ?? null, input.password, queue)
      .catch(attempt.abandon)
    if (!user || !ok) {
      const { headers, throttled } = await attempt.fail()
      await audit.record(database.db, origin, {
        event: authEvents['login.failed'],
        outcome: 'failure',
        target: user?.id ?? null,
        ...(throttled && { details: { throttled } }),
      })
      throw new AppError(authErrors.invalid_credentials, { headers })
    }
    await attempt.succeed()
    await requireSignInAllowed(user, input.undo_deletion ?? false, origin)
    const newHash = rehash ? await passwords.hash(input.password, queue).catch(() => null) : null

    const signedInAt = timestamp(clock.now())
    const { grant, surplus } = await database.transaction(async (trx) => {
      const current = await users.lockIfExists(trx, user.id)
      const isSame =
        current?.is_active && current.password_hash === user.password_hash && current.delete_after === user.delete_after
      if (!isSame) throw new AppError(authErrors.invalid_credentials)
      if (newHash) await users.rehash(trx, user.id, newHash)
      if (current.delete_after) await undoDeletion(trx, user.id, origin)
      await users.touchLogin(trx, user.id, signedInAt)
      const { isBrowser } = evidence
      const grant = await sessions.start(trx, user.id, origin.device, { knownDevice, isBrowser })
      await knownDevices.remember(trx, { userId: user.id, device: grant.device })
      const sessionOrigin = doneBy(origin, user.id, grant.sessionId)
      await audit.record(trx, sessionOrigin, { event: authEvents['login.succeeded'], target: user.id })
      const cutoff = await sessions.surplusCutoff(trx, user.id, grant.sessionId)
      const hasMore = cutoff !== null && (await sessionEvents.endSurplus(trx, user.id, grant.sessionId, cutoff, origin))
      // Sent after the sessions are locked, as for a theft: the same lock order prevents deadlocks.
      if (!knownDevice && hasSignedInBefore(user))
        await mailer.send(trx, 'new_sign_in', user, emailOriginOf(origin, clock))
      return { grant, surplus: hasMore ? cutoff : null }
    })
    if (surplus) await sessionEvents.endRemaining(user.id, grant.sessionId, surplus, origin)
    return signedIn({ ...user, last_login_at: signedInAt }, grant)
  }

  /**
   * Refuses a sign-in that the hashing queue would refuse anyway, before anything is read: in a flood, refusals would
   * otherwise take the time of the served ones. Throws AppError `overloaded`, late, for clients that ask again at once.
   */
  async function requireCapacity({ network }: Origin): Promise<void> {
    if (!passwords.wouldRefuse(network ?? '')) return
    await pause(REFUSAL_DELAY_MS)
    throw new AppError(kernelErrors.overloaded, { retryAfter: 1 })
  }

  /**
   * Returns the devices whose tokens a request contains, the strongest proof first. Whether they are still known is
   * checked in the database.
   */
  async function claimedDevices({ deviceToken, deviceCookies, accessToken }: Evidence): Promise<DeviceClaims[]> {
    const fromAccessToken = accessToken === null ? null : await tokens.deviceOf(accessToken)
    const [header, ...cookies] = [deviceToken ?? '', ...deviceCookies].map(knownDevices.decode)
    return [header, fromAccessToken, ...cookies].filter((claims) => claims !== null && claims !== undefined)
  }

  /**
   * Refuses users with the correct password who may not sign in.
   * Throws AppError `account_inactive`, `account_deletion_pending`, `email_not_verified`.
   */
  async function requireSignInAllowed(user: UserRow, undo: boolean, origin: Origin): Promise<void> {
    const refuse = (error: AppError, cause: string) =>
      audit
        .record(database.db, origin, {
          event: authEvents['login.failed'],
          outcome: 'failure',
          target: user.id,
          details: { cause },
        })
        .then(() => Promise.reject(error))
    if (!user.is_active) await refuse(new AppError(authErrors.account_inactive), 'inactive')
    if (user.delete_after && !undo)
      await refuse(
        new AppError(authErrors.account_deletion_pending, { members: { delete_after: user.delete_after } }),
        'being deleted',
      )
    if (config.requireVerifiedEmail && !user.email_verified) {
      // Without a session the user could not request another link.
      const issuedAt = await oneTimeTokens.issuedAt(database.db, 'verify_email', user.id)
      if (issuedAt === null || clock.now() - issuedAt > LINK_INTERVAL_MS)
        await database.transaction((trx) => credentials.sendVerification(trx, user))
      await refuse(new AppError(authErrors.email_not_verified), 'unverified')
    }
  }

  /** Continues a session. Throws AppError `refresh_invalid`, `refresh_reused`, `session_ended`. */
  async function refresh(claims: RefreshClaims | null, origin: Origin, evidence: Evidence): Promise<SignedInUser> {
    if (!claims) throw new AppError(sessionsErrors.refresh_invalid)
    const { sessionId, generation } = claims
    const cookies = evidence.deviceCookies.map(knownDevices.decode)
    const hasCookieOf = ({ userId, device }: DeviceClaims) =>
      cookies.some((claims) => claims?.userId === userId && claims.device === device)
    const outcome = await database.transaction(async (trx) => {
      const outcome = await sessions.proceed(trx, sessionId, generation, origin.device, hasCookieOf)
      if ('reused' in outcome) await sessionEvents.reportTheft(trx, outcome.identity, generation, origin)
      else if (outcome.firstOfDay)
        await knownDevices.touch(trx, { userId: outcome.identity.id, device: outcome.grant.device })
      return outcome
    })
    if ('reused' in outcome) throw new AppError(sessionsErrors.refresh_reused)
    if (outcome.stale) await sessionEvents.recordStaleTab(outcome.identity, generation, origin)
    return signedIn(outcome.identity, outcome.grant)
  }

  async function signedIn(user: UserRow | Identity, grant: Grant): Promise<SignedInUser> {
    const { sessionId, generation, device, expiresAt } = grant
    const { token, expiresIn } = await tokens.sign({ userId: user.id, sessionId, generation, role: user.role, device })
    const now = clock.now()
    return {
      ...users.toUser(user),
      access_token: token,
      refresh_token: refreshTokens.encode({ sessionId, generation }),
      device_token: knownDevices.encode({ userId: user.id, device }),
      token_type: 'Bearer',
      expires_in: expiresIn,
      refresh_expires_in: Math.max(0, Math.round((expiresAt - now) / 1000)),
      session_id: sessionId,
      server_time: timestamp(now),
    }
  }

  /** Cancels the deletion of an account. */
  async function undoDeletion(trx: Db, userId: string, origin: Origin): Promise<void> {
    await users.cancelDeletion(trx, userId)
    await oneTimeTokens.revoke(trx, userId, ['undo_deletion'])
    await audit.record(trx, doneBy(origin, userId), { event: authEvents['account.deletion_undone'], target: userId })
  }

  return { register, login, refresh, undoDeletion, declares: { auditEvents: authEvents } }
}

export type Auth = ReturnType<typeof createAuth>

/** Returns whether a user has signed in before: the first sign-in sends no e-mail. */
export const hasSignedInBefore = (user: UserRow): boolean => user.last_login_at !== NEVER
