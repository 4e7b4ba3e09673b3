import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../support/app.ts'

describeOnEachEngine('A signed-in user', (engine) => {
  const app = useApp(engine)

  test('who calls forbidden routes all day is always refused and fills no table', async () => {
    const { id, access_token: token } = await signIn(app.api, await register(app.api))
    for (let knock = 0; knock < 70; knock++)
      assert.equal((await app.api.get('/api/v1/users', { token })).body.reason, 'forbidden')
    const { db } = app.services.database
    const events = await db.selectFrom('audit_events').selectAll().where('actor_id', '=', id).execute()
    assert.equal(events.filter(({ action }) => action === 'access.denied').length, 60)
    assert.equal(app.logs.filter(({ reason, user_id }) => reason === 'forbidden' && user_id === id).length, 70)
  })

  test('cannot fill the mailbox of another person, even with many accounts', async () => {
    const ask = async () => {
      const { access_token: token } = await signIn(app.api, await register(app.api))
      const body = { new_email: 'Stranger@example.org', password: PASSWORD }
      return (await app.api.post('/api/v1/auth/change-email', { token, body })).status
    }
    assert.deepEqual([await ask(), await ask(), await ask(), await ask()], [200, 200, 200, 429])
  })

  test('gets ten exports an hour', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    const ask = async () => (await app.api.get('/api/v1/auth/me/export', { token })).status
    for (let times = 0; times < 10; times++) assert.equal(await ask(), 200)
    assert.equal(await ask(), 429)
  })

  test('may write a few hundred times a minute over all routes, without affecting others', async () => {
    const person = await signIn(app.api, await register(app.api))
    const other = await signIn(app.api, await register(app.api))
    const own = `/api/v1/users/${person.id}`
    const write = (n: number) =>
      n % 2
        ? app.api.patch('/api/v1/auth/me', { token: person.access_token, body: { name: `Anna ${n}` } })
        : app.api.put(own, { token: person.access_token, body: { name: `Anna ${n}`, email: null, role: null } })
    app.clock.advance(60_000 - (app.clock.now() % 60_000)) // to the beginning of a window
    for (let n = 0; n < 240; n += 8) {
      const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => write(n + i)))
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    }
    const over = await write(241)
    assert.deepEqual([over.status, over.body.reason], [429, 'rate_limited'])
    assert.ok(Number(over.headers.get('retry-after')) <= 60)
    assert.match(`${over.headers.get('ratelimit-policy')}`, /"writes";q=240;w=60/)
    assert.equal((await app.api.me(person.access_token)).status, 200, 'reads go on')
    assert.equal(
      (await app.api.patch('/api/v1/auth/me', { token: other.access_token, body: { name: 'B' } })).status,
      200,
    )
    app.clock.advance(60_000)
    assert.equal((await write(242)).status, 200)
  })

  test('creates one audit event a minute for the same profile change, and one for each different change', async () => {
    const person = await signIn(app.api, await register(app.api))
    const again = await signIn(app.api, person)
    const write = (body: object, { access_token: token } = person) => app.api.patch('/api/v1/auth/me', { token, body })
    const events = async () => {
      const rows = await app.services.database.db
        .selectFrom('audit_events')
        .select('details')
        .where('actor_id', '=', person.id)
        .where('action', '=', 'user.updated')
        .orderBy('id')
        .execute()
      return rows.map(({ details }) => JSON.parse(details).fields)
    }
    await Promise.all(Array.from({ length: 50 }, (_, n) => write({ name: `Anna ${n}` })))
    assert.deepEqual(await events(), ['name'])
    await write({ locale: 'ru' })
    await write({ name: 'Anna', locale: 'en' })
    await write({ name: 'Anna K' }, again)
    assert.deepEqual(await events(), ['name', 'locale', 'locale, name', 'name'], 'another session is another event')
    app.clock.advance(61_000)
    await write({ name: 'Anna 61' })
    assert.equal((await events()).length, 5)
  })
})
