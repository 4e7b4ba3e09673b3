import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'

/** Only indexes change: an older version is slower, and right. */
export const compatibleFrom = 8

/**
 * An index for every combination of the filters of the audit list, each in the order of the list. Of one actor and one
 * target there are few enough events to hold the action against the entries of the index.
 */
const INDEXES = {
  audit_events_actor_action: 'actor_id, action, id',
  audit_events_target_action: 'target_id, action, id',
  audit_events_actor_target: 'actor_id, target_id, id, action',
}

export async function up(db: Db): Promise<void> {
  for (const [name, columns] of Object.entries(INDEXES))
    await sql.raw(`create index ${name} on audit_events (${columns})`).execute(db)
  // What a person has is read page by page, in the order of its ids.
  for (const table of ['sessions', 'outbox']) {
    await sql.raw(`create index ${table}_user on ${table} (user_id, id)`).execute(db)
    await sql.raw(`drop index ${table}_user_id`).execute(db)
  }
  // Ids are in the order of time: they lead to what is old, as this index did.
  await sql`drop index audit_events_at`.execute(db)
}

export async function down(db: Db): Promise<void> {
  for (const table of ['sessions', 'outbox']) {
    await sql.raw(`create index ${table}_user_id on ${table} (user_id)`).execute(db)
    await sql.raw(`drop index ${table}_user`).execute(db)
  }
  await sql`create index audit_events_at on audit_events (at)`.execute(db)
  for (const name of Object.keys(INDEXES)) await sql`drop index ${sql.ref(name)}`.execute(db)
}
