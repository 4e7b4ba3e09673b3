import assert from 'node:assert/strict'
import { requireStatus } from '../../support/auth-calls.ts'
import { newKey } from '../../support/idempotency.ts'
import { tally } from '../../support/process-client.ts'
import { type Attack, newAddress, PASSWORD } from '../target.ts'

const inTurns = async (times: number, width: number, work: (n: number) => Promise<unknown>) => {
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < times) await work(next++)
    }),
  )
}

export const idempotencyFlood: Attack = {
  name: 'idempotency-flood',
  title: 'anonymous requests that fail store no idempotency keys',
  quick: true,
  async run({ client, query }) {
    const before = await query('select id from idempotency_keys')
    const ip = newAddress()
    const paths = ['/verify-email', '/change-email/confirm', '/undo-deletion', '/reset-password/confirm', '/refresh']
    await inTurns(100, 20, (n) => {
      const path = paths[n % paths.length]
      const body = {
        '/refresh': { refresh_token: 'x'.repeat(900) },
        '/reset-password/confirm': { token: 'x', new_password: 'a walk along the river' },
      }
      return client.post(`/api/v1/auth${path}`, {
        body: (body as Record<string, object>)[path as string] ?? { token: 'x'.repeat(200) },
        headers: { ...newKey(), 'x-forwarded-for': ip },
      })
    })
    const after = await query('select id from idempotency_keys')
    assert.equal(after.length, before.length)
  },
}

export const keptRefusal: Attack = {
  name: 'kept-refusal',
  title: 'a failed sign-in is not replayed by its idempotency key once the password is right',
  quick: true,
  async run(target) {
    const email = `late-${Date.now()}-${target.engine}@example.org`
    const headers = newKey()
    requireStatus(401, await target.client.login({ email }, { headers }))
    requireStatus(201, await target.client.register({ email }))
    requireStatus(200, await target.client.login({ email }, { headers }))
  },
}

export const junkRefreshes: Attack = {
  name: 'junk-refreshes',
  title: 'invalid refresh tokens do not use up the refresh limit of an address',
  quick: true,
  async run(target) {
    const ip = { 'x-forwarded-for': newAddress() }
    const person = await target.newPerson()
    await inTurns(3200, 50, (n) => target.client.refresh(`junk-${n}`, { headers: ip }))
    requireStatus(200, await target.client.refresh(person.refresh_token, { headers: ip }))
  },
}

export const refusedRegistrations: Attack = {
  name: 'refused-registrations',
  title: 'registrations with a refused password do not use up the limit of an address',
  quick: true,
  async run({ client }) {
    const headers = { 'x-forwarded-for': newAddress() }
    const register = (email: string, password: string) =>
      client.register({ email, password, name: 'Anna' }, { headers })
    await inTurns(120, 10, (n) => register(`refused-${n}@example.org`, 'password1'))
    const answer = await register(`welcome-${Date.now()}-${Math.random()}@example.org`, PASSWORD)
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
  },
}

export const manySessions: Attack = {
  name: 'many-sessions',
  title: 'a user has at most 100 live sessions, however often they sign in',
  quick: true,
  async run(target) {
    const person = await target.newPerson()
    await inTurns(103, 4, () => target.client.login({ email: person.email }))
    const { body } = await target.client.login({ email: person.email })
    const { status, body: list } = await target.client.get('/api/v1/auth/sessions', { token: body.user.access_token })
    assert.equal(status, 200)
    const live = await target.query(`select id from sessions where user_id = '${person.id}' and ended_at is null`)
    assert.ok(live.length <= 100, `${live.length} sessions`)
    assert.ok(list.sessions.length <= 100)
    assert.ok(list.sessions.some(({ current }: { current: boolean }) => current))
  },
}

export const writeFlood: Attack = {
  name: 'write-flood',
  title: 'a signed-in user cannot fill the audit log by changing their own name again and again',
  quick: true,
  async run(target) {
    const person = await target.newPerson()
    const answers: { status: number }[] = []
    await inTurns(600, 20, async (n) => answers.push(await target.client.rename(person.access_token, `Anna ${n}`)))
    const events = await target.query(`select id from audit_events where actor_id = '${person.id}'`)
    // One for each minute in which the name was changed, and one for the sign-in.
    assert.ok(events.length <= 10, `${events.length} events were written: ${tally(answers)}`)
    assert.ok(answers.some(({ status }) => status === 200) && answers.some(({ status }) => status === 429))
    assert.ok(
      answers.every(({ status }) => [200, 429, 503].includes(status)),
      tally(answers),
    )
  },
}

/** A heap that is large enough only for a streamed export. */
const SMALL_HEAP = '--max-old-space-size=96'

export const exportBomb: Attack = {
  name: 'export-bomb',
  title: 'three parallel exports with 200,000 events do not crash a process with a small heap',
  quick: false,
  env: { NODE_OPTIONS: SMALL_HEAP },
  async run(target) {
    const person = await target.newPerson()
    await plantEvents(target, person.id, 200_000)
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => target.client.get('/api/v1/auth/me/export', { token: person.access_token })),
    )
    await target.requireAlive()
    assert.ok(
      answers.some(({ status }) => status === 200),
      tally(answers),
    )
  },
}

/** Inserts events directly into the database: over HTTP that would take minutes. */
async function plantEvents({ engine, query, execute }: Parameters<Attack['run']>[0], userId: string, count: number) {
  const columns =
    'id, at, action, outcome, actor_type, actor_id, target_id, session_id, request_id, ip, user_agent, details'
  const values = (id: string) =>
    `${id}, '2026-11-22T12:00:00.000Z', 'user.updated', 'success', 'user', '${userId}', '${userId}', null, null, '203.0.113.7', '${'x'.repeat(200)}', '{"fields":["name"]}'`
  const sql =
    engine === 'sqlite'
      ? `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) insert into audit_events (${columns}) select ${values("printf('01900000-0000-7000-8000-%012d', i)")} from n`
      : `insert into audit_events (${columns}) select ${values("('01900000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid")} from generate_series(1, ${count}) i`
  await execute(sql)
  const [planted] = await query(`select count(*) as n from audit_events where actor_id = '${userId}'`)
  assert.ok(Number(planted?.n) >= count, `${planted?.n} events`)
}
