import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PASSWORD, register, signIn, useApp } from '../../support/app.ts'

describe('The log', () => {
  const app = useApp('sqlite', { env: { LOG_LEVEL: 'trace', TRUST_PROXY: '1' } })
  const lineOf = (id: string | null) => {
    const lines = app.logs.filter(({ request_id }) => request_id === id)
    assert.equal(lines.length, 1)
    return lines[0] as Record<string, unknown>
  }

  test('has one line for each request, with its caller, route and status', async () => {
    const user = await signIn(app.api, await register(app.api))
    const path = `/api/v1/users/${user.id}`
    const { headers } = await app.api.get(`${path}?`, { token: user.access_token })
    const { time, duration_ms, pid, ...line } = lineOf(headers.get('x-request-id'))
    assert.deepEqual(line, {
      level: 'info',
      request_id: headers.get('x-request-id'),
      method: 'GET',
      route: '/api/v1/users/:id',
      status: 200,
      ip: '127.0.0.1',
      user_id: user.id,
      session_id: user.session_id,
      msg: 'request',
    })
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.equal(typeof duration_ms, 'number')
    assert.equal(pid, process.pid)
  })

  test('has the client’s X-Request-ID beside the request id, where it is valid', async () => {
    const given = (id: string) => app.api.get('/health', { headers: { 'x-request-id': id } })
    const { headers } = await given('trace-1')
    assert.equal(lineOf(headers.get('x-request-id')).client_request_id, 'trace-1')
    for (const id of ['a b', 'x'.repeat(129), '{"level":"fatal"}'])
      assert.ok(!('client_request_id' in lineOf((await given(id)).headers.get('x-request-id'))), id)
  })

  test('names the reason of an error, and for a 404 the path without its query', async () => {
    const { headers } = await app.api.get('/reset?token=very-secret-token')
    const line = lineOf(headers.get('x-request-id'))
    assert.deepEqual([line.reason, line.route, line.status], ['not_found', '/reset', 404])
  })

  test('has the client address from a trusted proxy', async () => {
    const { headers } = await app.api.get('/health', { headers: { 'x-forwarded-for': '203.0.113.9, 198.51.100.7' } })
    assert.equal(lineOf(headers.get('x-request-id')).ip, '198.51.100.7')
  })

  test('has no password, token, cookie, email or name, even at the finest level', async () => {
    const person = await register(app.api, { email: 'discreet.person@example.org', name: 'Discreet Person' })
    const { access_token: token, refresh_token, id } = await signIn(app.api, person)
    const cookie = { cookie: 'session=chocolate-chip-cookie' }
    const ask = [
      app.api.login({ email: person.email, password: 'mistyped-password' }, { headers: cookie }),
      app.api.register({ ...person, locale: null }),
      app.api.post('/api/v1/auth/register', { body: `{"email":"${person.email}","password":"${PASSWORD}"` }),
      app.api.refresh(refresh_token),
      app.api.refresh(`${refresh_token.slice(0, -1)}!`),
      app.api.get('/api/v1/auth/me', { token: `${token}x` }),
      app.api.get(`/api/v1/users?q=${person.email}&access_token=${token}`, { token }),
      app.api.patch(`/api/v1/users/${id}`, { token, body: { name: 'Discreet Person II', email: person.email } }),
      app.api.post('/api/v1/auth/reset-password', { body: { email: person.email } }),
    ]
    await Promise.all(ask)
    const text = JSON.stringify(app.logs)
    const secrets = [
      token,
      refresh_token,
      refresh_token.slice(0, 60),
      PASSWORD,
      'mistyped-password',
      'chocolate',
      '$argon2',
    ]
    for (const secret of [...secrets, 'discreet.person', 'Discreet Person', 'eyJ', 'Bearer'])
      assert.ok(!text.includes(secret), secret)
  })

  test('cannot be forged by client input', async () => {
    const evil = '%0a%7b%22level%22%3a%22fatal%22%7d'
    const { headers } = await app.api.get(`/${evil}`, { headers: { 'user-agent': '{"level":"fatal"}' } })
    assert.equal(lineOf(headers.get('x-request-id')).level, 'info')
    assert.ok(app.logs.every(({ level }) => level !== 'fatal'))
  })
})
