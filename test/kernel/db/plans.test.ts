import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CompiledQuery, sql } from 'kysely'
import type { Db, Engine } from '../../../src/kernel/db/database.ts'
import { deleteExpiredKeys } from '../../../src/kernel/http/idempotency/idempotency.store.ts'
import { timestamp } from '../../../src/kernel/lib/clock.ts'
import { firstIdOf } from '../../../src/kernel/lib/ids.ts'
import { claimDue, deleteMailsBefore, mailsOf } from '../../../src/kernel/mail/outbox.store.ts'
import { deleteEventsBefore, eventsAbout, listEvents } from '../../../src/modules/audit/audit.store.ts'
import { deleteExpiredTokens } from '../../../src/modules/credentials/one-time-tokens.store.ts'
import { deleteExpired } from '../../../src/modules/rate-limits/rate-limits.store.ts'
import { deleteSessionsBefore, sessionsAfter } from '../../../src/modules/sessions/sessions.store.ts'
import { describeOnEachEngine, useApp } from '../../support/app.ts'

const id = (n: number) => `0190a000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
const TIME = '2026-03-01T00:00:00.000Z'
const at = (seconds: number) => timestamp(Date.parse(TIME) + 1000 * seconds)
const eventId = (n: number) =>
  `${firstIdOf(Date.parse(TIME) + 1000 * n).slice(0, 14)}7000-8000-${n.toString(16).padStart(12, '0')}`
const [FROM, TO] = [at(3600), at(10_800)]
const [ADMIN, HEAVY] = [id(1), id(2)]

/** Every set of filters of the audit list. */
const FILTERS = [{}, { action: 'user.deleted' }].flatMap((action) =>
  [{}, { actor_id: ADMIN }].flatMap((actor) =>
    [{}, { target_id: HEAVY }].flatMap((target) =>
      [{}, { from: FROM }, { to: TO }, { from: FROM, to: TO }].flatMap((time) =>
        [{}, { before: eventId(9999) }].map((page) => ({ ...action, ...actor, ...target, ...time, ...page })),
      ),
    ),
  ),
)

/** Runs `work` and gives the queries that it has made, none of which changes anything. */
async function queriesOf(db: Db, work: (db: Db) => Promise<unknown>): Promise<CompiledQuery[]> {
  const queries: CompiledQuery[] = []
  const watched = db.withPlugin({
    transformQuery: ({ node, queryId }) => {
      queries.push(db.getExecutor().compileQuery(node, queryId))
      return node
    },
    transformResult: async ({ result }) => result,
  })
  await work(watched)
  return queries
}

/** The steps of a plan, one a line. */
async function planOf(db: Db, engine: Engine, { sql: text, parameters }: CompiledQuery): Promise<string> {
  const values = [...parameters].map((value) => (typeof value === 'boolean' ? Number(value) : value))
  const query = engine === 'sqlite' ? `explain query plan ${text}` : `explain ${text}`
  const { rows } = await db.executeQuery<Record<string, string>>(CompiledQuery.raw(query, values))
  return rows.map((row) => (engine === 'sqlite' ? row.detail : row['QUERY PLAN'])).join('\n')
}

async function addEvents(db: Db, count: number): Promise<void> {
  for (let from = 0; from < count; from += 500)
    await db
      .insertInto('audit_events')
      .values(
        Array.from({ length: 500 }, (_, i) => ({
          id: eventId(from + i),
          at: at(from + i),
          action: i % 3 ? 'login.succeeded' : 'user.updated',
          outcome: 'success' as const,
          actor_type: 'user' as const,
          actor_id: i % 4 === 0 ? ADMIN : i % 4 === 1 ? HEAVY : null,
          target_id: i % 4 === 1 ? HEAVY : id(100 + (i % 50)),
          session_id: null,
          request_id: null,
          ip: null,
          user_agent: null,
          details: '{}',
        })),
      )
      .execute()
}

describeOnEachEngine('Whatever is asked for', (engine) => {
  const app = useApp(engine)

  for (const size of ['with nothing stored', 'with 20,000 events', 'with 20,000 events and statistics'])
    test(`every filter of the audit list is led by one index in the order of the list, ${size}`, async () => {
      const { db } = app.services.database
      if (size === 'with 20,000 events') await addEvents(db, 20_000)
      if (size.endsWith('statistics')) await sql`analyze`.execute(db)
      for (const filters of FILTERS) {
        const queries = await queriesOf(db, (watched) => listEvents(watched, { ...filters, limit: 51 }))
        assert.equal(queries.length, 1)
        const plan = await planOf(db, engine, queries[0] as CompiledQuery)
        const text = `${JSON.stringify(filters)}\n${plan}`
        if (engine === 'sqlite') {
          assert.match(plan, /^SEARCH audit_events USING INDEX [^\n]*$/, text)
          assert.doesNotMatch(plan, /ANY\(|TEMP B-TREE|SCAN/, text)
        } else if (size.endsWith('statistics')) assert.doesNotMatch(plan, /Seq Scan/, text)
      }
    })

  test('what an export and the retention read is led by an index', async () => {
    const { db } = app.services.database
    const now = TIME
    const works: ((db: Db) => Promise<unknown>)[] = [
      (db) => eventsAbout(db, HEAVY, id(0), 200),
      (db) => sessionsAfter(db, HEAVY, id(0), 200),
      (db) => mailsOf(db, HEAVY, id(0), 200),
      (db) => deleteEventsBefore(db, '2020-01-01T00:00:00.000Z', 200),
      (db) => deleteSessionsBefore(db, '2020-01-01T00:00:00.000Z', 200),
      (db) => deleteMailsBefore(db, '2020-01-01T00:00:00.000Z', 200),
      (db) => deleteExpiredTokens(db, '2020-01-01T00:00:00.000Z', 200),
      (db) => deleteExpired(db, '2020-01-01T00:00:00.000Z', 200),
      (db) => deleteExpiredKeys(db, 0, 200),
      (db) => claimDue(db, now, now, 10),
    ]
    for (const work of works)
      for (const query of await queriesOf(db, work)) {
        if (engine === 'postgres') await sql`set enable_seqscan = off`.execute(db)
        const plan = await planOf(db, engine, query)
        const bad = engine === 'sqlite' ? /SCAN (audit_events|sessions|outbox|one_time|throttles|idem)/ : /Seq Scan/
        assert.doesNotMatch(plan, bad, `${query.sql}\n${plan}`)
      }
  })
})
