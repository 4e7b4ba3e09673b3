import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { register, signIn, useApp } from '../../support/app.ts'

const preflight = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' }

describe('Other origins', () => {
  const app = useApp('sqlite', {
    env: {
      CORS_ALLOWED_ORIGINS: 'https://app.example.org, https://*.preview.example.org, http://localhost:*',
      CORS_ALLOWED_HEADERS: 'X-Tenant, X-Trace',
    },
  })
  const ask = (origin: string) => app.api.get('/health', { headers: { origin } })

  const allowed = [
    'https://app.example.org',
    'https://pr-1.preview.example.org',
    'http://localhost',
    'http://localhost:54321',
  ]
  for (const origin of allowed)
    test(`${origin} may call and read the exposed headers`, async () => {
      const { headers } = await ask(origin)
      assert.equal(headers.get('access-control-allow-origin'), origin)
      assert.equal(headers.get('access-control-allow-credentials'), 'true')
      assert.equal(headers.get('vary'), 'Origin')
      for (const name of ['ETag', 'Retry-After', 'X-Request-ID', 'Content-Disposition'])
        assert.ok(headers.get('access-control-expose-headers')?.includes(name), name)
    })

  const refused = [
    'https://evil.example',
    'http://app.example.org',
    'https://app.example.org:8443',
    'https://app.example.org.evil.example',
    'https://evilapp.example.org',
    'https://app-example.org',
    'https://preview.example.org',
    'https://a.b.preview.example.org',
    'https://evil.example/.preview.example.org',
    'http://localhost.evil.example',
    'http://localhost:1@evil.example',
    'http://localhost:',
    'http://localhost:123456',
    'http://localhost:80/x',
    'https://APP.example.org',
    'null',
    '*',
    'x'.repeat(5000),
  ]
  for (const origin of refused)
    test(`${origin.slice(0, 60)} may not`, async () => {
      for (const { headers } of [
        await ask(origin),
        await app.api.request('OPTIONS', '/api/v1/auth/me', { headers: { origin, ...preflight } }),
      ]) {
        assert.equal(headers.get('access-control-allow-origin'), null)
        assert.equal(headers.get('access-control-allow-credentials'), null)
        assert.equal(headers.get('access-control-allow-methods'), null)
        assert.equal(headers.get('vary'), 'Origin')
      }
    })

  test('get a preflight answer that is valid for two hours', async () => {
    const headers = { origin: 'https://app.example.org', ...preflight }
    const answer = await app.api.request('OPTIONS', '/api/v1/users/1', { headers })
    assert.equal(answer.status, 204)
    assert.equal(answer.body, '')
    assert.equal(answer.headers.get('access-control-max-age'), '7200')
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
      assert.ok(answer.headers.get('access-control-allow-methods')?.includes(method), method)
    const sent = ['Authorization', 'Content-Type', 'Accept-Language', 'If-Match', 'Idempotency-Key', 'X-Device-ID']
    const added = ['traceparent', 'tracestate', 'baggage', 'sentry-trace', 'X-Requested-With', 'Cache-Control']
    const allowed = answer.headers.get('access-control-allow-headers')?.split(', ')
    for (const name of [...sent, ...added, 'X-App-Type', 'X-App-Version', 'If-Modified-Since', 'X-Device-Token'])
      assert.ok(allowed?.includes(name), name)
    assert.ok(answer.headers.get('access-control-allow-headers')?.endsWith('X-Tenant, X-Trace'))
  })

  test('may read errors, including those before any route', async () => {
    const headers = { origin: 'https://app.example.org' }
    for (const path of ['/nowhere', '/api/v1/auth/me', '/%zz', `/api/v1/users/${'x'.repeat(300)}`]) {
      const answer = await app.api.get(path, { headers })
      assert.equal(answer.headers.get('access-control-allow-origin'), headers.origin, path)
    }
  })
})

describe('Without a list of origins', () => {
  const development = useApp('sqlite')
  const production = useApp('sqlite', { env: { NODE_ENV: 'production' } })
  const headers = { origin: 'http://localhost:3000' }

  test('a page on localhost or 127.0.0.1 may call in development', async () => {
    for (const origin of [headers.origin, 'http://127.0.0.1:3000']) {
      const answer = await development.api.get('/health', { headers: { origin } })
      assert.equal(answer.headers.get('access-control-allow-origin'), origin)
      assert.equal(answer.headers.get('strict-transport-security'), null)
    }
  })

  test('no origin may call in production, and HSTS is set for two years', async () => {
    const answer = await production.api.get('/health', { headers })
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
    for (const path of ['/health', '/', '/nowhere', '/%zz'])
      assert.match((await production.api.get(path)).headers.get('strict-transport-security') ?? '', /^max-age=63072000/)
  })
})

describe('Every answer', () => {
  const app = useApp('sqlite')

  test('carries the security headers and reveals no software', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    const answers = [
      await app.api.get('/health'),
      await app.api.me(token),
      await app.api.get('/api/v1/auth/me'),
      await app.api.get('/nowhere'),
      await app.api.get('/%zz'),
      await app.api.get('/'),
      await app.api.get('/docs/errors'),
    ]
    for (const { headers } of answers) {
      assert.equal(headers.get('referrer-policy'), 'no-referrer')
      assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
      assert.doesNotMatch(headers.get('content-security-policy') ?? '', /unsafe-(inline|eval)/)
      assert.equal(headers.get('server'), null)
      assert.equal(headers.get('x-powered-by'), null)
    }
  })

  test('to a request with a token is not cacheable', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    for (const path of ['/api/v1/auth/me', '/api/v1/auth/sessions', '/api/v1/users'])
      assert.equal((await app.api.get(path, { token })).headers.get('cache-control'), 'no-store')
  })

  test('to HEAD equals that to GET without the body', async () => {
    for (const path of ['/health', '/', '/openapi.json', '/api/v1/auth/me', '/nowhere']) {
      const [head, get] = [await app.api.request('HEAD', path), await app.api.get(path)]
      assert.equal(head.status, get.status, path)
      assert.equal(head.body, '')
      assert.equal(head.headers.get('content-type'), get.headers.get('content-type'), path)
    }
  })

  test('has a request id of the service, whatever the client sent', async () => {
    for (const id of ['abc-123', 'x'.repeat(128), '', 'a b', 'x'.repeat(129), '<script>', '{"a":1}', 'ü']) {
      const given = (await app.api.get('/health', { headers: { 'x-request-id': id } })).headers.get('x-request-id')
      assert.match(given ?? '', /^[0-9a-f-]{36}$/, id)
      assert.notEqual(given, id)
    }
  })
})
