import { domainToASCII } from 'node:url'
import { type Kysely, sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'
import type { ColumnTypes } from '../kernel/db/migrator.ts'

const BATCH = 500

/**
 * Binds links in e-mails to the security version of their account, and gives every address the key that full case folding
 * makes (`οδοσ@` and `ΟΔΟΣ@` are one). Where two accounts already share an address in this sense, one keeps its earlier
 * key: both are found by what they were found by before (`users.service.ts`). Only keys beyond ASCII can differ.
 */
export async function up(db: Db, { engine }: ColumnTypes): Promise<void> {
  for (const table of ['users', 'one_time_tokens'])
    await sql.raw(`alter table ${table} add column security_version integer not null default 0`).execute(db)
  await rekey(db, engine, keyOf)
}

export async function down(db: Db, { engine }: ColumnTypes): Promise<void> {
  await rekey(db, engine, earlierKeyOf)
  for (const table of ['one_time_tokens', 'users'])
    await sql.raw(`alter table ${table} drop column security_version`).execute(db)
}

async function rekey(db: Db, engine: ColumnTypes['engine'], key: (email: string) => string): Promise<void> {
  // As it is at this step, whatever the tables are by now.
  const users = db as unknown as Kysely<{ users: { id: string; email: string; email_key: string } }>
  const bytes = engine === 'sqlite' ? sql<number>`length(cast(email as blob))` : sql<number>`octet_length(email)`
  let last = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const rows = await users
      .selectFrom('users')
      .select(['id', 'email', 'email_key'])
      .where('id', '>', last)
      .where(bytes, '<>', sql<number>`length(email)`)
      .orderBy('id')
      .limit(BATCH)
      .execute()
    for (const { id, email, email_key } of rows)
      if (key(email) !== email_key)
        await users
          .updateTable('users')
          .set({ email_key: key(email) })
          .where('id', '=', id)
          .where(({ not, exists, selectFrom }) =>
            not(exists(selectFrom('users as other').select('other.id').where('other.email_key', '=', key(email)))),
          )
          .execute()
    if (rows.length < BATCH) return
    last = rows.at(-1)?.id ?? last
  }
}

const keyOf = (email: string): string =>
  keyBy(email, (local) =>
    local
      .normalize('NFD')
      .split('ı')
      .map((part) => part.toLowerCase().toUpperCase().toLowerCase())
      .join('ı')
      .replaceAll('ς', 'σ'),
  )

const earlierKeyOf = (email: string): string => keyBy(email, (local) => local.normalize('NFC').toLowerCase())

function keyBy(email: string, fold: (local: string) => string): string {
  const at = email.lastIndexOf('@')
  const local = fold(email.slice(0, at)).normalize('NFC')
  return `${local}@${domainToASCII(email.slice(at + 1)).toLowerCase()}`
}
