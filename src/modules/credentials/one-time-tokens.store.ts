import type { ExpressionBuilder, Insertable, Selectable } from 'kysely'
import { type Db, engineOf } from '../../kernel/db/database.ts'
import { countDeleted } from '../../kernel/db/deleted.ts'
import type { Tables } from '../../kernel/db/tables.ts'
import type { OneTimeTokensTable } from './credentials.tables.ts'

export type TokenRow = Selectable<OneTimeTokensTable>

export const replaceToken = (trx: Db, row: Insertable<OneTimeTokensTable>) =>
  trx
    .insertInto('one_time_tokens')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'kind']).doUpdateSet({
        token_hash: row.token_hash,
        email: row.email,
        security_version: row.security_version,
        created_at: row.created_at,
        expires_at: row.expires_at,
      }),
    )
    .execute()

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
