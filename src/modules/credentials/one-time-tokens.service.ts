import { createHash, randomBytes } from 'node:crypto'
import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import type { Locale } from '../../kernel/i18n/locale.ts'
import { type Clock, HOUR, MINUTE, timestamp } from '../../kernel/lib/clock.ts'
import type { Declaration } from '../../kernel/lib/declaration.ts'
import { onePage } from '../../kernel/lib/json-text.ts'
import type { Config } from '../../settings/config.ts'
import { credentialsErrors } from './credentials.errors.ts'
import { PendingLinks } from './credentials.schemas.ts'
import * as store from './one-time-tokens.store.ts'

export type LinkKind = 'verify_email' | 'reset_password' | 'change_email' | 'undo_deletion'

/** Paths of the pages that links open, on this service or in the app. */
export const LINK_PATHS: Record<LinkKind, string> = {
  verify_email: '/verify-email',
  reset_password: '/reset-password',
  change_email: '/change-email',
  undo_deletion: '/undo-deletion',
}

/** How long a link is valid, in ms (ASVS 6.4.1). */
const LIFETIME_MS: Record<Exclude<LinkKind, 'undo_deletion'>, number> = {
  verify_email: 24 * HOUR,
  reset_password: 30 * MINUTE,
  change_email: 24 * HOUR,
}

const TOKEN_BYTES = 32

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'appUrl' | 'appLinkUrl' | 'accountDeletionGrace'>
}

/** Links in e-mails. Each contains a single-use token of 256 random bits, of which only a hash is stored. */
export function createOneTimeTokens({ database, clock, config }: Parts) {
  const lifetimeOf = (kind: LinkKind) => (kind === 'undo_deletion' ? config.accountDeletionGrace : LIFETIME_MS[kind])

  /**
   * Creates a link for a user, which replaces the previous one of its kind. `validFor` is in seconds.
   * @param user as read by the caller: the link is bound to its `security_version`
   */
  async function issue(
    trx: Db,
    kind: LinkKind,
    user: { id: string; email: string; locale: Locale; security_version: number },
    email = user.email,
  ): Promise<{ link: string; validFor: number }> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url')
    const now = clock.now()
    await store.replaceToken(trx, {
      token_hash: hashOf(token),
      user_id: user.id,
      kind,
      email,
      security_version: user.security_version,
      created_at: timestamp(now),
      expires_at: timestamp(now + lifetimeOf(kind)),
    })
    const link = `${config.appLinkUrl ?? config.appUrl}${LINK_PATHS[kind]}?token=${token}&lang=${user.locale}`
    return { link, validFor: lifetimeOf(kind) / 1000 }
  }

  /** Returns the row of a token without using it. Throws AppError `link_invalid`. */
  async function peek(db: Db, kind: LinkKind, token: string): Promise<store.TokenRow> {
    return requireValid(await store.findToken(db, hashOf(token), kind))
  }

  /**
   * Uses a token: of several concurrent calls, one succeeds. Locks the account first, so that the checks still hold
   * when the caller acts. Throws AppError `link_invalid`.
   */
  async function use(trx: Db, kind: LinkKind, token: string): Promise<store.TokenRow> {
    const { user_id } = requireValid(await store.findToken(trx, hashOf(token), kind))
    await store.lockUser(trx, user_id)
    return requireValid(await store.takeToken(trx, hashOf(token), kind))
  }

  /** Returns when the valid link of a kind was created, in ms, or null if there is none. */
  const issuedAt = async (db: Db, kind: LinkKind, userId: string): Promise<number | null> => {
    const row = await store.tokenOf(db, userId, kind)
    return row && row.expires_at > timestamp(clock.now()) ? Date.parse(row.created_at) : null
  }

  /** Revokes links of the given kinds. */
  const revoke = (trx: Db, userId: string, kinds: LinkKind[]) => store.deleteTokens(trx, userId, kinds)

  return {
    issue,
    peek,
    use,
    issuedAt,
    revoke,
    declares: {
      retention: {
        one_time_tokens: (limit) => store.deleteExpiredTokens(database.db, timestamp(clock.now()), limit),
      },
      personalData: {
        links: {
          schema: PendingLinks,
          pages: ({ id }) =>
            onePage(async () => {
              const rows = await store.tokensOf(database.db, id, timestamp(clock.now()))
              return rows.map(({ kind, email, created_at, expires_at }) => ({ kind, email, created_at, expires_at }))
            }),
        },
      },
    } satisfies Declaration,
  }

  function requireValid(row: store.TokenRow | undefined): store.TokenRow {
    if (!row || row.expires_at <= timestamp(clock.now())) throw new AppError(credentialsErrors.link_invalid)
    return row
  }
}

export type OneTimeTokens = ReturnType<typeof createOneTimeTokens>

/** The token has 256 random bits, so a fast hash is enough (ASVS 6.5.2). */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')
