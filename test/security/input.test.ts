import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { createAdmin, describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../support/app.ts'

describeOnEachEngine('Hostile input in a query', (engine) => {
  const app = useApp(engine)
  let token = ''
  before(async () => {
    token = (await signIn(app.api, await createAdmin(app.services))).access_token
    await register(app.api, { email: 'victim@example.org', name: 'Victim' })
  })
  const get = (path: string) => app.api.get(path, { token })

  const refused: [string, string][] = [
    ['an id as a URN', '/api/v1/users/urn:uuid:01a20675-08e8-7763-8f63-98eee1da3b67'],
    ['an id in capitals', '/api/v1/users/01A20675-08E8-7763-8F63-98EEE1DA3B67'],
    ['an actor as a URN', '/api/v1/audit-events?actor_id=urn:uuid:01a20675-08e8-7763-8f63-98eee1da3b67'],
    ['a leap second', '/api/v1/users?created_from=2016-12-31T23:59:60Z'],
    ['a day that no month has', '/api/v1/users?created_from=2026-02-30T00:00:00Z'],
    ['an offset without minutes', '/api/v1/users?created_to=2026-01-01T00:00:00%2B05'],
    ['the year 0', '/api/v1/users?created_from=0000-01-01T00:00:00Z'],
    ['a time before the year 1 in UTC', '/api/v1/audit-events?from=0001-01-01T00:00:00%2B14:00'],
    ['a time after the year 9999 in UTC', '/api/v1/audit-events?to=9999-12-31T23:59:59-14:00'],
    ['a NUL', '/api/v1/users?q=%00'],
    ['a column that is secret', '/api/v1/users?sort=password_hash'],
    ['a statement for an order', '/api/v1/users?sort=created_at;drop%20table%20users'],
    ['a key of every object', '/api/v1/users?__proto__=1'],
    ['a parameter twice', '/api/v1/users?role=user&role=admin'],
    ['a number beyond the exact ones', '/api/v1/users?page=9007199254740993'],
    ['no number', '/api/v1/users?page=NaN'],
    ['a negative number', '/api/v1/audit-events?limit=-1'],
  ]
  for (const [name, path] of refused)
    test(`${name} is refused before it reaches the database`, async () => {
      const answer = await get(path)
      assert.equal(answer.status, 400, JSON.stringify(answer.body))
      assert.equal(answer.body.reason, 'validation_failed')
    })

  for (const q of [
    "' or 1=1 --",
    "victim' or ''='",
    '" or search_text:*',
    'victim" OR "example',
    'NEAR(victim example)',
    '%',
    '%%%',
    'v%m',
    'vict_m',
    '\\',
    '*',
    '^vic',
  ])
    test(`the search term ${q} is matched literally`, async () => {
      const answer = await get(`/api/v1/users?q=${encodeURIComponent(q)}`)
      assert.equal(answer.status, 200)
      assert.deepEqual(answer.body.users, [])
    })

  test('a login accepts any string as an address, and no object', async () => {
    const login = (email: unknown) => app.api.post('/api/v1/auth/login', { body: { email, password: PASSWORD } })
    for (const email of [
      "' or 1=1 --",
      '@',
      '\ud800@example.org',
      'xn--@xn--a',
      'victim@example.org"',
      'a'.repeat(254),
    ])
      assert.equal((await login(email)).body.reason, 'invalid_credentials', email)
    for (const email of ['a\0b@example.org', { $gt: '' }, ['victim@example.org'], true, null])
      assert.equal((await login(email)).body.reason, 'validation_failed', String(email))
  })
})
