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

/** The pages that links lead to, here or in the app. */
export const LINK_PATHS: Record<LinkKind, string> = {
  verify_email: '/verify-email',
  reset_password: '/reset-password',
  change_email: '/change-email',
  undo_deletion: '/undo-deletion',
}

/** How long a link is good, in ms (ASVS 6.4.1; yardsticks: 30 minutes for a reset, 24 hours for a verification). */
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

/** Links in e-mails: each holds a token of 256 random bits that works once, of which only a hash is stored. */
export function createOneTimeTokens({ database, clock, config }: Parts) {
  const life = (kind: LinkKind) => (kind === 'undo_deletion' ? config.accountDeletionGrace : LIFETIME_MS[kind])

  /**
   * Makes a link for a user as they were read, to their address or another; it replaces the one of its kind before it.
   * `validFor` is in seconds.
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
      expires_at: timestamp(now + life(kind)),
    })
    const link = `${config.appLinkUrl ?? config.appUrl}${LINK_PATHS[kind]}?token=${token}&lang=${user.locale}`
    return { link, validFor: life(kind) / 1000 }
  }

  /** What a token stands for, without using it. Throws AppError `link_invalid`. */
  async function peek(db: Db, kind: LinkKind, token: string): Promise<store.TokenRow> {
    return valid(await store.findToken(db, hashOf(token), kind))
  }

  /**
   * Uses a token up: of many calls at once, one succeeds. Its account is locked first, so that what it was made for still
   * holds when the caller acts on it. Throws AppError `link_invalid`.
   */
  async function use(trx: Db, kind: LinkKind, token: string): Promise<store.TokenRow> {
    const { user_id } = valid(await store.findToken(trx, hashOf(token), kind))
    await store.lockUser(trx, user_id)
    return valid(await store.takeToken(trx, hashOf(token), kind))
  }

  /** When the present link of a kind was made; null where there is none. */
  const issuedAt = async (db: Db, kind: LinkKind, userId: string): Promise<number | null> => {
    const row = await store.tokenOf(db, userId, kind)
    return row && row.expires_at > timestamp(clock.now()) ? Date.parse(row.created_at) : null
  }

  /** Makes links of these kinds worthless. */
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

  function valid(row: store.TokenRow | undefined): store.TokenRow {
    if (!row || row.expires_at <= timestamp(clock.now())) throw new AppError(credentialsErrors.link_invalid)
    return row
  }
}

export type OneTimeTokens = ReturnType<typeof createOneTimeTokens>

/** The token has 256 random bits, so a fast hash is enough (ASVS 6.5.2). */
const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')
