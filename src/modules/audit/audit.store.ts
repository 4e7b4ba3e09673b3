import { type RawBuilder, type Selectable, sql } from 'kysely'
import { type Db, engineOf } from '../../kernel/db/database.ts'
import { countDeleted } from '../../kernel/db/deleted.ts'
import { preparedInsert } from '../../kernel/db/prepared-query.ts'
import { DAY, timestamp } from '../../kernel/lib/clock.ts'
import { firstIdOf, GREATEST_ID, LEAST_ID } from '../../kernel/lib/ids.ts'
import type { AuditEventsTable } from './audit.tables.ts'

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

export const insertEvent = preparedInsert('audit_event_insert', 'audit_events')

interface Filters {
  action?: string | undefined
  actor_id?: string | undefined
  target_id?: string | undefined
  from?: string | undefined
  to?: string | undefined
  /** Only events before this id. */
  before?: string | undefined
  limit: number
}

/** How far the time within an id may differ from the time of the event, if a clock was set back. */
const CLOCK_SLACK_MS = DAY

type AccessPath = 'actor_id' | 'target_id' | 'action'

/** The index of each combination of filters; each ends with the id. */
const INDEXES = {
  '': 'sqlite_autoindex_audit_events_1',
  action: 'audit_events_action',
  actor_id: 'audit_events_actor_id',
  target_id: 'audit_events_target_id',
  'actor_id, action': 'audit_events_actor_action',
  'target_id, action': 'audit_events_target_action',
  'actor_id, target_id': 'audit_events_actor_target',
}

/** Returns events, newest first, by an index of at most two of the filters: docs/decisions/0031. */
export async function listEvents(db: Db, { from, to, before, limit, ...exact }: Filters): Promise<AuditRow[]> {
  const path = accessPathOf(exact)
  const oldest = from ? firstIdOf(Date.parse(from) - CLOCK_SLACK_MS) : LEAST_ID
  const newest = [
    to ? firstIdOf(Date.parse(to) + CLOCK_SLACK_MS) : GREATEST_ID,
    before ?? GREATEST_ID,
  ].sort()[0] as string
  const others = [
    ...(exact.action !== undefined && !path.includes('action') ? [sql`action = ${exact.action}`] : []),
    ...(from ? [sql`at >= ${from}`] : []),
    ...(to ? [sql`at < ${to}`] : []),
  ]
  const { rows } = await readIndex(db, {
    path,
    exact,
    after: oldest,
    before: newest,
    others,
    direction: 'desc',
    limit,
  }).execute(db)
  return rows
}

interface IndexRange {
  path: readonly AccessPath[]
  exact: Partial<Record<AccessPath, string | undefined>>
  /** The range of ids, exclusive. */
  after: string
  before: string
  others?: RawBuilder<unknown>[]
  direction: 'asc' | 'desc'
  limit: number
}

/** Returns a query that reads one index from an id to another. */
function readIndex(
  db: Db,
  { path, exact, after, before, others = [], direction, limit }: IndexRange,
): RawBuilder<AuditRow> {
  const columns = [...path.map((name) => sql.ref(name)), sql.ref('id')]
  const bound = (id: string) => sql.join([...path.map((name) => exact[name]), id])
  const conditions = [
    sql`(${sql.join(columns)}) > (${bound(after)})`,
    sql`(${sql.join(columns)}) < (${bound(before)})`,
    ...others,
  ]
  const hint =
    engineOf(db) === 'sqlite' ? sql`indexed by ${sql.ref(INDEXES[path.join(', ') as keyof typeof INDEXES])}` : sql``
  const order = columns.map((column) => sql`${column} ${sql.raw(direction)}`)
  return sql<AuditRow>`
    select ${sql.join(COLUMNS.map((name) => sql.ref(name)))} from audit_events ${hint}
    where ${sql.join(conditions, sql` and `)} order by ${sql.join(order)} limit ${limit}`
}

function accessPathOf({ action, actor_id, target_id }: Pick<Filters, AccessPath>) {
  const given: AccessPath[] = []
  if (actor_id !== undefined) given.push('actor_id')
  if (target_id !== undefined) given.push('target_id')
  if (action !== undefined && given.length < 2) given.push('action')
  return given
}

/** Returns whether the actor has caused the same event for the same target in the same session since a time in ms. */
export async function hasSameEvent(trx: Db, event: AuditEventsTable, since: number): Promise<boolean> {
  const { at, actor_id, target_id, session_id, action, outcome, details } = event
  if (actor_id === null || target_id === null) return false
  const same = { session_id, action, outcome, details }
  const { rows } = await readIndex(trx, {
    path: ['actor_id', 'target_id'],
    exact: { actor_id, target_id },
    after: firstIdOf(since),
    before: GREATEST_ID,
    others: [
      sql`at > ${timestamp(since)} and at <= ${at}`, // The clock may have been set back in between.
      ...Object.entries(same).map(([name, value]) => sql`${sql.ref(name)} = ${value}`),
    ],
    direction: 'desc',
    limit: 1,
  }).execute(trx)
  return rows.length > 0
}

/** Returns up to `limit` events after one of them in which a user is the actor or the target, oldest first. */
export async function eventsAbout(db: Db, userId: string, after: string, limit: number): Promise<AuditRow[]> {
  const of = (name: 'actor_id' | 'target_id') =>
    readIndex(db, {
      path: [name],
      exact: { [name]: userId },
      after,
      before: GREATEST_ID,
      direction: 'asc',
      limit,
    })
  const { rows } = await sql<AuditRow>`
    select * from (${of('actor_id')}) as acted union select * from (${of('target_id')}) as targeted
    order by id limit ${limit}`.execute(db)
  return rows
}

/** Deletes up to `limit` events from before a time, oldest first. Returns how many. */
export async function deleteEventsBefore(db: Db, before: string, limit: number): Promise<number> {
  const old = db
    .selectFrom('audit_events')
    .select('id')
    .where('id', '<', firstIdOf(Date.parse(before)))
    .where('at', '<', before)
    .orderBy('id')
    .limit(limit)
  return countDeleted(db.deleteFrom('audit_events').where('id', 'in', old))
}
