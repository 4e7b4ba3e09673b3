import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { describeOnEachEngine, register, signIn, useApp } from '../../support/app.ts'
import { addEvents } from '../../support/audit-events.ts'

/** So many events of so many bytes are more than the sockets between the two ends take in. */
const MANY = 2500
const BYTES = 8000

describeOnEachEngine('A large export', (engine) => {
  const app = useApp(engine)
  const id = (n: number) => `0190a000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`

  /** Somebody with a history: `count` events, some by them, some to them, some both. */
  async function personWith(count: number, bytes = 200) {
    const person = await signIn(app.api, await register(app.api))
    const base = Number.parseInt(person.id.slice(-8), 16) * 2 ** 16
    await addEvents(app.services.database.db, count, (n) => ({
      id: id(base + n),
      actor_id: n % 3 === 1 ? null : person.id,
      target_id: n % 3 === 2 ? null : person.id,
      request_id: 'x'.repeat(100),
      ip: '192.0.2.1',
      user_agent: 'y'.repeat(bytes),
      details: '{"fields":"name"}',
    }))
    return person
  }

  /** Begins an export and reads no more than its headers. */
  async function begin(token: string): Promise<{ request: ClientRequest; response: IncomingMessage }> {
    const request = get(`${app.url}/api/v1/auth/me/export`, { headers: { authorization: `Bearer ${token}` } })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return { request, response }
  }

  async function read(response: IncomingMessage): Promise<string> {
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return text
  }

  /** As soon as an export of this person may begin, which is tried less often than the limit of an hour allows. */
  async function whenFree(token: string): Promise<IncomingMessage> {
    for (let tries = 1; ; tries++) {
      const { response } = await begin(token)
      if (response.statusCode === 200) return response
      const { detail } = JSON.parse(await read(response))
      assert.ok(tries < 6, detail)
      await pause(100 * 2 ** tries)
    }
  }

  test('has every event once and in order, over any number of pages', async () => {
    for (const count of [0, 199, 200, 201, 1000]) {
      const person = await personWith(count)
      const answer = await app.api.get('/api/v1/auth/me/export', { token: person.access_token })
      assert.equal(answer.status, 200)
      assert.match(`${answer.headers.get('content-disposition')}`, /^attachment; filename="bukhindor-export\.json"$/)
      assert.match(`${answer.headers.get('content-type')}`, /^application\/json/)
      const { audit_events, sessions, mails, links } = answer.body
      assert.deepEqual(
        audit_events.map(({ action }: { action: string }) => action).filter((name: string) => name !== 'user.updated'),
        ['user.registered', 'login.succeeded', 'account.exported'],
      )
      assert.equal(audit_events.length, count + 3)
      const ids = audit_events.map((event: { id: string }) => event.id)
      assert.deepEqual(ids, [...new Set(ids)].sort())
      assert.deepEqual([sessions.length, mails.length > 0, links.length], [1, true, 1])
    }
  })

  test('is read from the database only as fast as the client reads it', async () => {
    const person = await personWith(MANY, BYTES)
    const { response } = await begin(person.access_token)
    assert.equal(response.statusCode, 200)
    const late = `ffffffff-0000-7000-8000-${person.id.slice(-12)}`
    await pause(200) // The sockets fill meanwhile.
    await addEvents(app.services.database.db, 1, () => ({
      id: late,
      action: 'login.failed',
      outcome: 'failure',
      actor_type: 'anonymous',
      target_id: person.id,
    }))
    const { audit_events } = JSON.parse(await read(response))
    assert.equal(audit_events.length, MANY + 4)
    assert.equal(audit_events.at(-1).id, late, 'an event from after the begin is in it: the end was not read before')
  })

  test('runs once at a time for a person, and is released when the client disconnects', async () => {
    const [person, other] = [await personWith(MANY, BYTES), await personWith(10)]
    const { request, response } = await begin(person.access_token)
    assert.equal(response.statusCode, 200)
    const second = await app.api.get('/api/v1/auth/me/export', { token: person.access_token })
    assert.deepEqual([second.status, second.body.reason, second.headers.get('retry-after')], [429, 'rate_limited', '5'])
    assert.match(second.body.detail, /still running/)
    assert.equal((await app.api.get('/api/v1/auth/me/export', { token: other.access_token })).status, 200)
    request.destroy()
    const again = await whenFree(person.access_token)
    assert.ok(JSON.parse(await read(again)).audit_events.length > MANY)
  })

  test('that fails half-way breaks the connection instead of ending normally', async () => {
    const person = await personWith(MANY, BYTES)
    const { response } = await begin(person.access_token)
    // At once: the buffers of a fast machine take the rest of it within moments.
    const { db } = app.services.database
    await sql`alter table audit_events rename to away`.execute(db)
    const result = await read(response).then(
      (text) => `whole: ${text.length}`,
      (error) => error.code,
    )
    await sql`alter table away rename to audit_events`.execute(db)
    assert.equal(result, 'ECONNRESET')
    assert.ok(JSON.parse(await read(await whenFree(person.access_token))).audit_events.length > MANY)
  })

  test('requested with HEAD reads nothing and is not logged as an export', async () => {
    const person = await personWith(10)
    const answer = await app.api.request('HEAD', '/api/v1/auth/me/export', { token: person.access_token })
    assert.equal(answer.status, 200)
    const events = await app.services.database.db
      .selectFrom('audit_events')
      .select('id')
      .where('action', '=', 'account.exported')
      .where('actor_id', '=', person.id)
      .execute()
    assert.equal(events.length, 0)
  })
})
