import type { Selectable } from 'kysely'
import { DAY } from '../../kernel/clock.ts'
import { type Db, hot } from '../../kernel/db/database.ts'
import type { AuditEventsTable } from '../../kernel/db/schema.ts'
import { firstIdOf } from '../../kernel/ids.ts'

export type AuditRow = Selectable<AuditEventsTable>

const COLUMNS = [
  'id',
  'at',
  'action',
  'outcome',
  'actor_type',
  'actor_id',
  'target_id',
  'session_id',
  'request_id',
  'ip',
  'user_agent',
  'details',
] as const satisfies (keyof AuditEventsTable)[]

const insert = hot<Record<string, unknown>, never>(
  'audit_event_insert',
  (db, p) =>
    db.insertInto('audit_events').values(Object.fromEntries(COLUMNS.map((name) => [name, p(name)])) as never) as never,
)

export const insertEvent = (db: Db, event: AuditEventsTable) => insert(db, { ...event })

interface Filters {
  action?: string | undefined
  actor_id?: string | undefined
  target_id?: string | undefined
  from?: string | undefined
  to?: string | undefined
  /** Only events before this one. */
  before?: string | undefined
  limit: number
}

/** By so much the time within an id may differ from the time of the event, when a clock was set back. */
const SLACK = DAY

/** Events, the newest first: ids are in the order of time, and lead to a time without a look at all that came later. */
export function listEvents(db: Db, { from, to, before, limit, ...exact }: Filters): Promise<AuditRow[]> {
  let query = db.selectFrom('audit_events').selectAll().orderBy('id', 'desc').limit(limit)
  for (const name of ['action', 'actor_id', 'target_id'] as const) {
    const wanted = exact[name]
    if (wanted !== undefined) query = query.where(name, '=', wanted)
  }
  if (from) query = query.where('at', '>=', from).where('id', '>=', firstIdOf(Date.parse(from) - SLACK))
  if (to) query = query.where('at', '<', to).where('id', '<', firstIdOf(Date.parse(to) + SLACK))
  if (before) query = query.where('id', '<', before)
  return query.execute()
}

export const eventsAbout = (db: Db, userId: string): Promise<AuditRow[]> =>
  db
    .selectFrom('audit_events')
    .selectAll()
    .where((eb) => eb.or([eb('actor_id', '=', userId), eb('target_id', '=', userId)]))
    .orderBy('id')
    .execute()

/** Deletes up to `limit` events from before a time; returns how many. */
export async function deleteEventsBefore(db: Db, before: string, limit: number): Promise<number> {
  const old = db.selectFrom('audit_events').select('id').where('at', '<', before).limit(limit)
  const { numDeletedRows } = await db.deleteFrom('audit_events').where('id', 'in', old).executeTakeFirst()
  return Number(numDeletedRows)
}
