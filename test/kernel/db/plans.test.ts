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
import { addEvents } from '../../support/audit-events.ts'
import { queriesOf } from '../../support/queries.ts'

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

/** The steps of a plan, one a line. */
async function planOf(db: Db, engine: Engine, { sql: text, parameters }: CompiledQuery): Promise<string> {
  const values = [...parameters].map((value) => (typeof value === 'boolean' ? Number(value) : value))
  const query = engine === 'sqlite' ? `explain query plan ${text}` : `explain ${text}`
  const { rows } = await db.executeQuery<Record<string, string>>(CompiledQuery.raw(query, values))
  return rows.map((row) => (engine === 'sqlite' ? row.detail : row['QUERY PLAN'])).join('\n')
}

const addManyEvents = (db: Db) =>
  addEvents(db, 20_000, (n) => ({
    id: eventId(n),
    at: at(n),
    action: n % 3 ? 'login.succeeded' : 'user.updated',
    actor_id: n % 4 === 0 ? ADMIN : n % 4 === 1 ? HEAVY : null,
    target_id: n % 4 === 1 ? HEAVY : id(100 + (n % 50)),
  }))

describeOnEachEngine('Query plans', (engine) => {
  const app = useApp(engine)

  // The planner of PostgreSQL goes by the rows that are there and by statistics, so an empty table tells nothing of it.
  const sizes = ['with nothing stored', 'with 20,000 events', 'with 20,000 events and statistics']
  for (const size of engine === 'sqlite' ? sizes : sizes.slice(-1))
    test(`every filter of the audit list uses one index in the order of the list, ${size}`, async () => {
      const { db } = app.services.database
      if (size !== sizes[0] && !(await db.selectFrom('audit_events').select('id').executeTakeFirst()))
        await addManyEvents(db)
      if (size.endsWith('statistics')) await sql`analyze`.execute(db)
      for (const filters of FILTERS) {
        const queries = await queriesOf(db, (watched) => listEvents(watched, { ...filters, limit: 51 }))
        assert.equal(queries.length, 1)
        const plan = await planOf(db, engine, queries[0] as CompiledQuery)
        const text = `${JSON.stringify(filters)}\n${plan}`
        if (engine === 'sqlite') {
          assert.match(plan, /^SEARCH audit_events USING INDEX [^\n]*$/, text)
          assert.doesNotMatch(plan, /ANY\(|TEMP B-TREE|SCAN/, text)
        } else {
          assert.match(plan, /Index/, text)
          assert.doesNotMatch(plan, /Seq Scan/, text)
        }
      }
    })

  test('exports and retention jobs use indexes', async () => {
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
    for (const work of works) {
      const queries = await queriesOf(db, work)
      assert.ok(queries.length > 0, String(work))
      for (const query of queries) {
        const plan = await db.transaction().execute(async (trx) => {
          // Where a table is small, PostgreSQL would rather read it whole than use the index that it has.
          if (engine === 'postgres') await sql`set local enable_seqscan = off`.execute(trx)
          return planOf(trx, engine, query)
        })
        const bad = engine === 'sqlite' ? /SCAN (audit_events|sessions|outbox|one_time|throttles|idem)/ : /Seq Scan/
        assert.doesNotMatch(plan, bad, `${query.sql}\n${plan}`)
      }
    }
  })
})
