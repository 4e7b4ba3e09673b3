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
 * The token is of an active account as it is by now: whoever has lost a mailbox or an account must not keep its links.
 * A link to an address works as long as that is the account's. A change of address names the one to come, so it works as
 * long as nothing of `security_version` has happened: another address, another password, being shut out.
 */
const stillTheirs = (eb: ExpressionBuilder<Tables, 'one_time_tokens'>) =>
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
    .where(stillTheirs)
    .executeTakeFirst()

/** Keeps others from changing an account until the transaction ends (SQLite has one writer anyway). */
export async function lockUser(trx: Db, id: string): Promise<void> {
  if (engineOf(trx) === 'postgres')
    await trx.selectFrom('users').select('id').where('id', '=', id).forUpdate().executeTakeFirst()
}

/** Deleting is using: the row can be deleted only once. */
export const takeToken = (trx: Db, hash: string, kind: string): Promise<TokenRow | undefined> =>
  trx
    .deleteFrom('one_time_tokens')
    .where('token_hash', '=', hash)
    .where('kind', '=', kind)
    .where(stillTheirs)
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

/** Deletes up to `limit` tokens that expired before a time; returns how many. */
export async function deleteExpiredTokens(db: Db, before: string, limit: number): Promise<number> {
  const old = db.selectFrom('one_time_tokens').select('token_hash').where('expires_at', '<', before).limit(limit)
  return countDeleted(db.deleteFrom('one_time_tokens').where('token_hash', 'in', old))
}
