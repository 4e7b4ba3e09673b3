import type { ExpressionBuilder, Selectable } from 'kysely'
import { type Db, engineOf } from '../../kernel/db/database.ts'
import { countDeleted } from '../../kernel/db/deleted.ts'
import { preparedQuery } from '../../kernel/db/prepared-query.ts'
import type { Tables } from '../../kernel/db/tables.ts'
import type { OneTimeTokensTable } from './credentials.tables.ts'

export type TokenRow = Selectable<OneTimeTokensTable>

export const replaceToken = preparedQuery<Record<keyof OneTimeTokensTable, unknown>, never>(
  'one_time_token_replace',
  (db, p) => {
    const { user_id, kind, ...rest } = {
      user_id: p('user_id'),
      kind: p('kind'),
      token_hash: p('token_hash'),
      email: p('email'),
      security_version: p('security_version'),
      created_at: p('created_at'),
      expires_at: p('expires_at'),
    }
    return db
      .insertInto('one_time_tokens')
      .values({ user_id, kind, ...rest })
      .onConflict((conflict) => conflict.columns(['user_id', 'kind']).doUpdateSet(rest))
  },
)

/**
 * Matches tokens that are still valid for the current state of their account. A change of e-mail is bound to
 * `security_version`, other links to the address they were sent to: docs/decisions/0030.
 */
const isBoundToAccount = (eb: ExpressionBuilder<Tables, 'one_time_tokens'>) =>
  eb.exists(
    eb
      .selectFrom('users')
      .select('users.id')
      .whereRef('users.id', '=', 'one_time_tokens.user_id')
      .where('users.is_active', '=', true)
      .where((eb) =>
        eb.or([
          eb.and([
            eb('one_time_tokens.kind', '=', 'change_email'),
            eb('users.security_version', '=', eb.ref('one_time_tokens.security_version')),
          ]),
          eb.and([
            eb('one_time_tokens.kind', '<>', 'change_email'),
            eb('users.email', '=', eb.ref('one_time_tokens.email')),
          ]),
        ]),
      ),
  )

export const findToken = (db: Db, hash: string, kind: string): Promise<TokenRow | undefined> =>
  db
    .selectFrom('one_time_tokens')
    .selectAll()
    .where('token_hash', '=', hash)
    .where('kind', '=', kind)
    .where(isBoundToAccount)
    .executeTakeFirst()

/** Locks an account until the transaction ends. SQLite has a single writer and needs no lock. */
export async function lockUser(trx: Db, id: string): Promise<void> {
  if (engineOf(trx) === 'postgres')
    await trx.selectFrom('users').select('id').where('id', '=', id).forUpdate().executeTakeFirst()
}

/** Uses a token by deleting its row, which only one transaction can do. */
export const takeToken = (trx: Db, hash: string, kind: string): Promise<TokenRow | undefined> =>
  trx
    .deleteFrom('one_time_tokens')
    .where('token_hash', '=', hash)
    .where('kind', '=', kind)
    .where(isBoundToAccount)
    .returningAll()
    .executeTakeFirst()

export const tokenOf = (db: Db, userId: string, kind: string): Promise<TokenRow | undefined> =>
  db.selectFrom('one_time_tokens').selectAll().where('user_id', '=', userId).where('kind', '=', kind).executeTakeFirst()

export const tokensOf = (db: Db, userId: string, now: string): Promise<TokenRow[]> =>
  db
    .selectFrom('one_time_tokens')
    .selectAll()
    .where('user_id', '=', userId)
    .where('expires_at', '>', now)
    .orderBy('created_at')
    .execute()

export const deleteTokens = (trx: Db, userId: string, kinds: string[]) =>
  trx.deleteFrom('one_time_tokens').where('user_id', '=', userId).where('kind', 'in', kinds).execute()

/** Deletes up to `limit` tokens that expired before a time. Returns how many. */
export async function deleteExpiredTokens(db: Db, before: string, limit: number): Promise<number> {
  const old = db.selectFrom('one_time_tokens').select('token_hash').where('expires_at', '<', before).limit(limit)
  return countDeleted(db.deleteFrom('one_time_tokens').where('token_hash', 'in', old))
}
