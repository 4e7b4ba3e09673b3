import { type Clock, timestamp } from '../../kernel/clock.ts'
import type { Config } from '../../kernel/config.ts'
import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors.ts'
import type { Locale } from '../../kernel/i18n.ts'
import { requirePassword } from '../../kernel/password-policy.ts'
import type { Passwords } from '../../kernel/passwords.ts'
import type { RefreshTokens } from '../sessions/refresh-token.ts'
import type { Device, Grant, Identity, Sessions } from '../sessions/sessions.service.ts'
import type { User } from '../users/users.schemas.ts'
import type { UserRow, Users } from '../users/users.service.ts'
import type { Login, Register, SignedInUser } from './auth.schemas.ts'
import type { AccessTokens } from './tokens.ts'

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'minPasswordLength'>
  passwords: Passwords
  users: Users
  sessions: Sessions
  tokens: AccessTokens
  refreshTokens: RefreshTokens
}

/** Signing up, in, on and out. */
export function createAuth({ database, clock, config, passwords, users, sessions, tokens, refreshTokens }: Parts) {
  /** Throws AppError `password_refused`, `email_taken`, `overloaded`. */
  async function register(input: Register, locale: Locale): Promise<User> {
    requirePassword(input.password, { minLength: config.minPasswordLength, email: input.email, name: input.name })
    if (await users.byEmail(input.email)) throw new AppError('email_taken')
    const passwordHash = await passwords.hash(input.password)
    const row = await database.transaction((trx) =>
      users.create(trx, { email: input.email, name: input.name, passwordHash, locale: input.locale ?? locale }),
    )
    return users.toUser(row)
  }

  /** Throws AppError `invalid_credentials`, `account_inactive`, `overloaded`. */
  async function login(input: Login, device: Device): Promise<SignedInUser> {
    const user = await users.byEmail(input.email)
    // Unknown e-mails cost the same work: nobody learns by a clock who has an account.
    const { ok, rehash } = await passwords.verify(user?.password_hash ?? null, input.password)
    if (!user || !ok) throw new AppError('invalid_credentials')
    if (!user.is_active) throw new AppError('account_inactive')
    const newHash = rehash ? await passwords.hash(input.password).catch(() => null) : null

    const signedInAt = timestamp(clock.now())
    const grant = await database.transaction(async (trx) => {
      const present = await users.lock(trx, user.id).catch(() => null)
      const isSame = present?.is_active && present.password_hash === user.password_hash
      if (!isSame) throw new AppError('invalid_credentials')
      if (newHash) await users.rehash(trx, user.id, newHash)
      await users.touchLogin(trx, user.id, signedInAt)
      return sessions.start(trx, user.id, device)
    })
    return signedIn({ ...user, last_login_at: signedInAt }, grant)
  }

  /** Throws AppError `refresh_invalid`, `refresh_reused`, `session_ended`. */
  async function refresh(token: string, device: Device): Promise<SignedInUser> {
    const claims = refreshTokens.decode(token)
    if (!claims) throw new AppError('refresh_invalid')
    const outcome = await database.transaction((trx) =>
      sessions.proceed(trx, claims.sessionId, claims.generation, device),
    )
    if ('reused' in outcome) throw new AppError('refresh_reused')
    return signedIn(outcome.identity, outcome.grant)
  }

  async function signedIn(user: UserRow | Identity, grant: Grant): Promise<SignedInUser> {
    const { sessionId, generation, expiresAt } = grant
    const { token, expiresIn } = await tokens.sign({ userId: user.id, sessionId, generation, role: user.role })
    const now = clock.now()
    return {
      ...users.toUser(user),
      access_token: token,
      refresh_token: refreshTokens.encode({ sessionId, generation }),
      token_type: 'Bearer',
      expires_in: expiresIn,
      refresh_expires_in: Math.max(0, Math.floor((expiresAt - now) / 1000)),
      session_id: sessionId,
      server_time: timestamp(now),
    }
  }

  return {
    register,
    login,
    refresh,
    sessionsOf: (caller: Identity) => sessions.list(caller.id, caller.session_id),
    /** Whether there was such a session. */
    endOwnSession: async (caller: Identity, id: string): Promise<boolean> =>
      (await sessions.end(database.db, caller.id, { only: id }, 'revoked')) > 0,
    logout: (caller: Identity) => sessions.end(database.db, caller.id, { only: caller.session_id }, 'logout'),
    logoutAll: (caller: Identity, keepCurrent: boolean) =>
      sessions.end(database.db, caller.id, keepCurrent ? { except: caller.session_id } : {}, 'logout'),
  }
}

export type Auth = ReturnType<typeof createAuth>
