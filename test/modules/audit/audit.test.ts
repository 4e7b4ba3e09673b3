import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { DAY, MINUTE } from '../../../src/kernel/lib/clock.ts'
import { createAdmin, describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../../support/app.ts'
import { mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'
import { until } from '../../support/until.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const NEW = 'a different walk, in the rain'

type Event = Record<string, unknown>

describeOnEachEngine('The audit log', (engine) => {
  const app = useApp(engine, { env: smtp.env })
  let admin: { id: string; access_token: string; session_id: string }

  async function list(
    query: Record<string, string | number> = {},
  ): Promise<{ events: Event[]; next_cursor: string | null }> {
    admin ??= await signIn(app.api, await createAdmin(app.services))
    const search = new URLSearchParams(query as Record<string, string>)
    const answer = await app.api.get(`/api/v1/audit-events?${search}`, { token: admin.access_token })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }
  const events = () => app.services.database.db.selectFrom('audit_events').selectAll()
  /** Waits until views, for which no answer waits, are written down. */
  async function written(...actions: string[]): Promise<void> {
    for (const action of actions) await until(() => events().where('action', '=', action).executeTakeFirst())
  }
  const about = async (id: string) => (await list({ target_id: id, limit: 200 })).events.reverse()
  const call = (method: string, path: string, body?: unknown, token?: string, id = 'audit-test') =>
    app.api.request(method, `/api/v1/auth${path}`, {
      ...(body !== undefined && { body }),
      ...(token !== undefined && { token }),
      headers: { 'x-request-id': id, 'user-agent': 'the tester' },
    })

  test('records for every action the actor, target, time, address, request and outcome', async () => {
    await list()
    const email = `audited.${engine}@example.org`
    const link = async (subject: RegExp, to = email) => tokenIn(await smtp.waitFor(mailTo(to, subject)))
    const expected: [action: string, actor: string, outcome: string][] = []
    const person = await register(app.api, { email })
    expected.push(['user.registered', 'user', 'success'])
    const login = { email, password: PASSWORD }
    assert.equal((await call('POST', '/login', { ...login, password: 'not the password' })).status, 401)
    expected.push(['login.failed', 'anonymous', 'failure'])
    let { body } = await call('POST', '/login', login)
    let token = body.user.access_token
    expected.push(['login.succeeded', 'user', 'success'])
    await call('POST', '/verify-email', { token: await link(/confirm your e-mail/) })
    expected.push(['email.verified', 'user', 'success'])
    await call('PATCH', '/me', { name: 'Audited' }, token)
    expected.push(['user.updated', 'user', 'success'])
    const other = (await call('POST', '/login', login)).body.user
    expected.push(['login.succeeded', 'user', 'success'])
    await call('DELETE', `/sessions/${other.session_id}`, undefined, token)
    expected.push(['session.ended', 'user', 'success'])
    await call('POST', '/change-email', { new_email: `new.${email}`, password: 'not the password' }, token)
    expected.push(['password.confirmation_failed', 'user', 'failure'])
    await call('POST', '/change-email', { new_email: `new.${email}`, password: PASSWORD }, token)
    expected.push(['email.change_requested', 'user', 'success'])
    await call('POST', '/change-email/confirm', { token: await link(/confirm your new address/, `new.${email}`) })
    expected.push(['email.changed', 'user', 'success'])
    await call('POST', '/change-password', { current_password: PASSWORD, new_password: NEW }, token)
    expected.push(['password.changed', 'user', 'success'])
    await call('GET', '/me/export', undefined, token)
    expected.push(['account.exported', 'user', 'success'])
    await call('POST', '/reset-password', { email: `new.${email}` })
    expected.push(['password.reset_requested', 'anonymous', 'success'])
    await call('POST', '/reset-password/confirm', {
      token: await link(/reset your password/, `new.${email}`),
      new_password: PASSWORD,
    })
    expected.push(['password.reset', 'user', 'success'])
    body = (await call('POST', '/login', { email: `new.${email}`, password: PASSWORD })).body
    token = body.user.access_token
    expected.push(['login.succeeded', 'user', 'success'])
    const refresh = (refresh_token: string) => call('POST', '/refresh', { refresh_token })
    const next = (await refresh(body.user.refresh_token)).body.user
    await refresh(next.refresh_token)
    app.clock.advance(MINUTE)
    assert.equal((await refresh(body.user.refresh_token)).body.reason, 'refresh_reused')
    expected.push(['refresh.reused', 'anonymous', 'failure'])
    token = (await call('POST', '/login', { email: `new.${email}`, password: PASSWORD })).body.user.access_token
    expected.push(['login.succeeded', 'user', 'success'])
    await call('POST', '/logout-all', {}, token)
    expected.push(['sessions.ended', 'user', 'success'])
    token = (await call('POST', '/login', { email: `new.${email}`, password: PASSWORD })).body.user.access_token
    expected.push(['login.succeeded', 'user', 'success'])
    await call('DELETE', '/me', { password: PASSWORD }, token)
    expected.push(['account.deletion_requested', 'user', 'success'])
    await call('POST', '/login', { email: `new.${email}`, password: PASSWORD })
    expected.push(['login.failed', 'anonymous', 'failure'])
    await call('POST', '/undo-deletion', { token: await link(/will be deleted/, `new.${email}`) })
    expected.push(['account.deletion_undone', 'user', 'success'])
    token = (await call('POST', '/login', { email: `new.${email}`, password: PASSWORD })).body.user.access_token
    expected.push(['login.succeeded', 'user', 'success'])
    await call('DELETE', '/me', { password: PASSWORD }, token)
    expected.push(['account.deletion_requested', 'user', 'success'])
    app.clock.advance(15 * DAY)
    await app.services.retention.run()
    expected.push(['account.deleted', 'system', 'success'])
    admin = await signIn(app.api, await createAdmin(app.services))

    const events = await about(person.id)
    assert.deepEqual(
      events.map(({ action, actor_type, outcome }) => [action, actor_type, outcome]),
      expected,
    )
    for (const event of events.slice(1, -1)) {
      assert.match(String(event.request_id), /^[0-9a-f-]{36}$/, 'an id of ours, not the one that the caller sent')
      assert.deepEqual([event.ip, event.user_agent], ['127.0.0.1', 'the tester'])
      assert.equal(event.actor_id, event.actor_type === 'user' ? person.id : null)
      const byLink = /^(email\.(verified|changed)|password\.reset|account\.deletion_undone)$/.test(String(event.action))
      assert.equal(
        event.session_id !== null,
        (event.actor_type === 'user' && !byLink) || event.action === 'refresh.reused',
      )
    }

    // What the person could not cause themselves.
    const { id } = await app.services.operator.create({ email: `made.${engine}@example.org`, name: 'Made' })
    await app.services.operator.update(`made.${engine}@example.org`, { is_active: false })
    const users = `/api/v1/users/${id}`
    await app.api.delete(users, { token: admin.access_token })
    const made = (await about(id)).map(({ action, actor_type, actor_id }) => [action, actor_type, actor_id])
    assert.deepEqual(made, [
      ['user.created', 'operator', null],
      ['user.updated', 'operator', null],
      ['user.deleted', 'user', admin.id],
    ])
    const stranger = await signIn(app.api, await register(app.api))
    assert.equal((await app.api.get('/api/v1/users', { token: stranger.access_token })).status, 403)
    const [denied] = (await list({ action: 'access.denied' })).events
    assert.deepEqual([denied?.actor_id, denied?.outcome], [stranger.id, 'failure'])
    assert.deepEqual(denied?.details, { method: 'GET', route: '/api/v1/users' })
    for (let tries = 0; tries < 5; tries++) await app.api.login({ email: stranger.email, password: 'no' })
    const failures = (await list({ target_id: stranger.id, action: 'login.failed' })).events
    assert.deepEqual(
      failures.map(({ details }) => details),
      [{ throttled: true }, {}, {}, {}, {}],
      'the fifth failure makes the next try wait',
    )
    const browser = { origin: 'http://localhost:5000', 'user-agent': 'Mozilla/5.0' }
    const tab = await signIn(app.api, await register(app.api), browser)
    const renew = async (refresh_token: string) =>
      (await app.api.refresh(refresh_token, { headers: browser })).body.user
    await renew((await renew(tab.refresh_token)).refresh_token)
    app.clock.advance(MINUTE)
    assert.ok((await renew(tab.refresh_token)).access_token, 'a tab that was left behind')
    await app.api.get(`/api/v1/users/${stranger.id}`, { token: admin.access_token })
    await app.api.get(`/api/v1/users/${stranger.id}/sessions`, { token: admin.access_token })
    await app.api.get('/api/v1/users', { token: admin.access_token })
    await written('sessions.viewed', 'users.listed', 'audit.viewed', 'user.viewed')
    const all = new Set((await list({ limit: 200 })).events.map(({ action }) => action))
    assert.deepEqual(
      Object.keys(app.services.declared.auditEvents).filter((event) => !all.has(event)),
      [],
      'every declared event is recorded somewhere',
    )
  })

  test('records which administrator viewed whom, once in ten minutes, but not views of oneself', async () => {
    const viewer = await signIn(app.api, await createAdmin(app.services))
    const { id, access_token: own } = await signIn(app.api, await register(app.api))
    const token = viewer.access_token
    const look = async () => {
      for (let times = 0; times < 3; times++)
        for (const path of [`/users/${id}`, `/users/${id}/sessions`, `/users/${viewer.id}`, '/users', '/audit-events'])
          assert.equal((await app.api.get(`/api/v1${path}`, { token })).status, 200)
      await Promise.all(Array.from({ length: 20 }, () => app.api.get(`/api/v1/users/${id}`, { token })))
      assert.equal((await app.api.get(`/api/v1/users/${id}`, { token: own })).status, 200)
    }
    const views = async () => {
      const rows = await events().where('actor_id', 'in', [viewer.id, id]).execute()
      const seen = rows.filter(({ action }) => /viewed|listed/.test(action))
      return seen.map(({ action, actor_id, target_id }) => [action, actor_id, target_id].join(' ')).sort()
    }
    const expected = [
      `audit.viewed ${viewer.id} `,
      `sessions.viewed ${viewer.id} ${id}`,
      `user.viewed ${viewer.id} ${id}`,
      `users.listed ${viewer.id} `,
    ]
    await look()
    await until(async () => (await views()).length >= expected.length)
    assert.deepEqual(await views(), expected)
    app.clock.advance(11 * MINUTE)
    await look()
    await until(async () => (await views()).length >= 2 * expected.length)
    assert.deepEqual(await views(), [...expected, ...expected].sort())
    admin = await signIn(app.api, await createAdmin(app.services)) // The token of before is nearly over.
    const [event] = await events().where('action', '=', 'user.viewed').where('target_id', '=', id).execute()
    assert.deepEqual([event?.actor_type, event?.session_id, event?.outcome], ['user', viewer.session_id, 'success'])
  })

  test('does not block views when it cannot be written', async () => {
    const other = await signIn(app.api, await createAdmin(app.services))
    const { db } = app.services.database
    await sql`alter table audit_events rename to audit_events_away`.execute(db)
    try {
      assert.equal((await app.api.get('/api/v1/users', { token: other.access_token })).status, 200)
    } finally {
      await sql`alter table audit_events_away rename to audit_events`.execute(db)
    }
    assert.equal((await app.api.get('/api/v1/users', { token: other.access_token })).status, 200)
    await until(() => events().where('actor_id', '=', other.id).where('action', '=', 'users.listed').executeTakeFirst())
  })

  test('has no passwords and no addresses of unknown people', async () => {
    const email = `stranger.${engine}@elsewhere.example`
    for (const path of ['/login', '/reset-password'])
      await call('POST', path, { email, ...(path === '/login' && { password: 'a secret that was mistyped' }) })
    const rows = await app.services.database.db.selectFrom('audit_events').selectAll().execute()
    const text = JSON.stringify(rows)
    assert.doesNotMatch(text, /mistyped|elsewhere|walk/)
    assert.doesNotMatch(text, /@/)
  })

  test('is append-only, enforced by the database', async () => {
    const { db } = app.services.database
    await assert.rejects(sql`update audit_events set outcome = 'success'`.execute(db), /append only/)
  })

  test('is readable by administrators only', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    assert.equal((await app.api.get('/api/v1/audit-events', { token })).body.reason, 'forbidden')
    assert.equal((await app.api.get('/api/v1/audit-events')).status, 401)
  })

  test('is paged, newest first, with every event once', async () => {
    await list()
    await written('audit.viewed')
    const whole = (await list({ limit: 200 })).events.map(({ id }) => id)
    const seen: unknown[] = []
    let cursor: string | null = null
    do {
      const page: Awaited<ReturnType<typeof list>> = await list({ limit: 7, ...(cursor && { cursor }) })
      seen.push(...page.events.map(({ id }) => id))
      cursor = page.next_cursor
    } while (cursor)
    assert.deepEqual(seen, whole)
    assert.deepEqual(seen, [...seen].sort().reverse())
    for (const wrong of ['x', 'AAAA', `${(await list({ limit: 1 })).next_cursor}A`]) {
      const answer = await app.api.get(`/api/v1/audit-events?cursor=${wrong}`, { token: admin.access_token })
      assert.deepEqual([answer.status, answer.body.reason], [400, 'invalid_cursor'], wrong)
    }
  })

  test('is filtered by action, actor, target and time', async () => {
    const start = new Date(app.clock.now()).toISOString()
    app.clock.advance(MINUTE)
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    await call('PATCH', '/me', { name: 'B' }, token)
    const middle = new Date(app.clock.now() + MINUTE).toISOString()
    app.clock.advance(2 * MINUTE)
    await call('PATCH', '/me', { name: 'C' }, token)
    const actions = async (query: Record<string, string>) => (await list(query)).events.map(({ action }) => action)
    assert.deepEqual(await actions({ actor_id: person.id }), [
      'user.updated',
      'user.updated',
      'login.succeeded',
      'user.registered',
    ])
    assert.deepEqual(await actions({ target_id: person.id, action: 'login.succeeded' }), ['login.succeeded'])
    assert.deepEqual(await actions({ target_id: person.id, from: middle }), ['user.updated'])
    assert.deepEqual(await actions({ from: start, to: middle }), ['user.updated', 'login.succeeded', 'user.registered'])
    const offset = middle.replace('Z', '+00:00')
    assert.deepEqual(await actions({ from: offset }), ['user.updated'])
    for (const query of ['action=nonsense', 'from=yesterday', 'actor_id=1', 'limit=0', 'limit=201', 'page=2'])
      assert.equal(
        (await app.api.get(`/api/v1/audit-events?${query}`, { token: admin.access_token })).status,
        400,
        query,
      )
  })

  test('is kept for AUDIT_RETENTION', async () => {
    const count = async () => (await app.services.database.db.selectFrom('audit_events').select('id').execute()).length
    const before = await count()
    app.clock.advance(399 * DAY - 16 * DAY)
    await app.services.retention.run()
    assert.equal(await count(), before)
    app.clock.advance(20 * DAY)
    const deleted = await app.services.retention.run()
    assert.equal(deleted?.audit_events, before - (await count()))
    assert.ok((deleted?.audit_events ?? 0) > 0)
  })
})
