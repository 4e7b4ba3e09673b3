import { type Selectable, sql } from 'kysely'
import { type Db, engineOf } from '../db/database.ts'
import { countDeleted } from '../db/deleted.ts'
import { preparedInsert } from '../db/prepared-query.ts'
import type { OutboxTable } from './outbox.tables.ts'

export type OutboxRow = Selectable<OutboxTable>

export const insertMail = preparedInsert('mail_insert', 'outbox')

/** Claims up to `limit` e-mails that are due. No other instance claims them before `until`, when the claim expires. */
export function claimDue(db: Db, now: string, until: string, limit: number): Promise<OutboxRow[]> {
  let due = db
    .selectFrom('outbox')
    .select('id')
    .where('sent_at', 'is', null)
    .where('failed_at', 'is', null)
    .where('next_try_at', '<=', now)
    .where('claimed_until', '<=', now)
    .orderBy('next_try_at')
    .limit(limit)
  if (engineOf(db) === 'postgres') due = due.forUpdate().skipLocked()
  return db
    .updateTable('outbox')
    .set((eb) => ({ claimed_until: until, tries: eb('tries', '+', 1) }))
    .where('id', 'in', due)
    .returningAll()
    .execute()
}

/** Marks an e-mail as sent and deletes its content; deletes the row if its user has been deleted. */
export const markSent = (db: Db, { id, user_id }: OutboxRow, now: string): Promise<unknown> =>
  user_id === null
    ? db.deleteFrom('outbox').where('id', '=', id).execute()
    : db.updateTable('outbox').set({ sent_at: now, payload: null, last_error: null }).where('id', '=', id).execute()

export const markFailed = (db: Db, id: string, next: { next_try_at: string } | { failed_at: string }, error: string) =>
  db
    .updateTable('outbox')
    .set({
      ...next,
      ...('failed_at' in next && { payload: null }),
      last_error: error.slice(0, 500),
      claimed_until: sql`created_at`,
    })
    .where('id', '=', id)
    .execute()

/** Returns up to `limit` e-mails to a user after an id, oldest first. */
export const mailsOf = (db: Db, userId: string, after: string, limit: number) =>
  db
    .selectFrom('outbox')
    .select(['id', 'kind', 'locale', 'recipient', 'created_at', 'sent_at'])
    .where('user_id', '=', userId)
    .where('id', '>', after)
    .orderBy('user_id')
    .orderBy('id')
    .limit(limit)
    .execute()

/** Deletes up to `limit` sent or failed e-mails that were created before a time. Returns how many. */
export async function deleteMailsBefore(db: Db, before: string, limit: number): Promise<number> {
  const old = db
    .selectFrom('outbox')
    .select('id')
    .where('created_at', '<', before)
    .where((eb) => eb.or([eb('sent_at', 'is not', null), eb('failed_at', 'is not', null)]))
    .limit(limit)
  return countDeleted(db.deleteFrom('outbox').where('id', 'in', old))
}
