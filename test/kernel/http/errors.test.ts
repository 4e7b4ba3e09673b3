import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Database from 'better-sqlite3'
import { MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import { createAdmin, PASSWORD, register, signIn, startApp, type TestApp, useApp } from '../../support/app.ts'
import { ERRORS, type Reason } from '../../support/errors.ts'
import { newKey } from '../../support/idempotency.ts'
import { parseRaw, sendRaw } from '../../support/raw.ts'
import { until } from '../../support/until.ts'

type Answer = { status: number; body: { reason: string; error: string } }

describe('Each reason is produced by a request', () => {
  const app = useApp('sqlite')
  const login = (body: unknown, headers = {}) => app.api.post('/api/v1/auth/login', { body, headers })
  const someone = async () => signIn(app.api, await register(app.api))
  const administrator = async () => signIn(app.api, await createAdmin(app.services))
  const raw = async (text: string, { url, api }: TestApp = app): Promise<Answer> => {
    const answer = parseRaw(await sendRaw(url, text))
    api.check('GET', '/', answer)
    return { ...answer, body: JSON.parse(answer.text) }
  }
  /** An app of its own, for what breaks it. */
  const broken = async (
    breakIt: (app: TestApp) => unknown,
    ask: (app: TestApp) => Promise<Answer>,
    env: Record<string, string> = {},
  ) => {
    const other = await startApp('sqlite', { env })
    try {
      await breakIt(other)
      return await ask(other)
    } finally {
      await other.close()
    }
  }

  /** Registers somebody while another process has the right to write. */
  const whileLocked = async (env: Record<string, string>) => {
    const other = await startApp('sqlite', { env })
    const lock = new Database((other.config.database as { file: string }).file)
    lock.exec('begin immediate')
    try {
      const body = { email: 'a@example.org', name: 'A', password: PASSWORD }
      return await other.api.register(body)
    } finally {
      lock.close()
      await other.close()
    }
  }

  /** A request for each: an error without one does not compile. */
  const producers: Record<Reason, () => Promise<Answer>> = {
    malformed_json: () => login('{'),
    expectation_failed: () => raw('GET /health HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n'),
    malformed_request: () => app.api.get('/api/v1/users/%zz'),
    validation_failed: () => login({}),
    password_refused: () => app.api.register({ email: 'a@example.org', name: 'A', password: 'password' }),
    invalid_cursor: async () => app.api.get('/api/v1/users?cursor=x', { token: (await administrator()).access_token }),
    token_missing: () => app.api.get('/api/v1/auth/me'),
    token_invalid: () => app.api.get('/api/v1/auth/me', { token: 'x' }),
    token_expired: async () => {
      const { access_token: token } = await someone()
      app.clock.advance(16 * MINUTE)
      return app.api.me(token)
    },
    session_ended: async () => {
      const { access_token: token } = await someone()
      await app.api.post('/api/v1/auth/logout', { token })
      return app.api.me(token)
    },
    refresh_invalid: () => app.api.refresh('x'),
    refresh_reused: async () => {
      const { refresh_token } = await someone()
      await app.api.refresh((await app.api.refresh(refresh_token)).body.user.refresh_token)
      app.clock.advance(11 * SECOND)
      return app.api.refresh(refresh_token)
    },
    invalid_credentials: () => login({ email: 'nobody@example.org', password: PASSWORD }),
    account_inactive: async () => {
      const { email } = await register(app.api)
      await app.services.operator.update(email, { is_active: false })
      return login({ email, password: PASSWORD })
    },
    forbidden: async () => app.api.get('/api/v1/users', { token: (await someone()).access_token }),
    last_admin: () =>
      broken(
        () => {},
        async (other) => {
          const { access_token: token, id } = await signIn(other.api, await createAdmin(other.services))
          return other.api.delete(`/api/v1/users/${id}`, { token })
        },
      ),
    not_found: () => app.api.get('/nowhere'),
    method_not_allowed: () => app.api.delete('/health'),
    request_timeout: () =>
      broken(
        () => {},
        (other) => raw('GET /health HTTP/1.1\r\nHost: x\r\n', other),
        { REQUEST_TIMEOUT: '1s' },
      ),
    email_taken: async () => {
      const { email } = await register(app.api)
      return app.api.register({ email, name: 'A' })
    },
    precondition_failed: async () => {
      const { access_token: token } = await someone()
      return app.api.patch('/api/v1/auth/me', { token, body: { name: 'B' }, headers: { 'if-match': '"99"' } })
    },
    body_too_large: () => login('x'.repeat(102_401)),
    uri_too_long: () => app.api.get(`/api/v1/users/${'x'.repeat(200)}`),
    unsupported_media_type: () => login('x', { 'content-type': 'text/plain' }),
    cookie_not_deliverable: async () => {
      const { email } = await register(app.api)
      const body = { email, password: PASSWORD, delivery: 'cookie' }
      return app.api.login(body, { headers: { 'sec-fetch-site': 'cross-site' } })
    },
    headers_too_large: () => raw(`GET /health HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`),
    internal: () =>
      broken(
        (other) => other.services.database.db.schema.dropTable('sessions').execute(),
        async (other) => {
          const { email } = await register(other.api)
          return other.api.login({ email })
        },
      ),
    overloaded: () =>
      broken(
        () => {},
        async ({ api }) => {
          const storm = Array.from({ length: 200 }, (_, i) => api.login({ email: `${i}@example.org` }))
          const answers = await Promise.all(storm)
          return answers.find(({ body }) => body.reason === 'overloaded') ?? assert.fail('no request was refused')
        },
        { REQUEST_TIMEOUT: '60s' },
      ),
    database_unavailable: () => whileLocked({ REQUEST_TIMEOUT: '3s' }),
    deadline_exceeded: () =>
      broken(
        (other) => {
          other.services.passwords.verify = () => new Promise(() => {})
        },
        (other) => other.api.login({ email: 'nobody@example.org' }),
        { REQUEST_TIMEOUT: '1s' },
      ),
    password_wrong: async () => {
      const { access_token: token } = await someone()
      const body = { current_password: 'not the password', new_password: 'a different walk' }
      return app.api.post('/api/v1/auth/change-password', { token, body })
    },
    email_not_verified: () =>
      broken(
        () => {},
        async ({ api }) => api.login({ email: (await register(api)).email }),
        { REQUIRE_VERIFIED_EMAIL: 'true' },
      ),
    account_deletion_pending: async () => {
      const { email, access_token: token } = await someone()
      await app.api.delete('/api/v1/auth/me', { token, body: { password: PASSWORD } })
      return app.api.login({ email })
    },
    link_invalid: () => app.api.post('/api/v1/auth/verify-email', { body: { token: 'unknown' } }),
    cross_site_request: async () => {
      const { email } = await register(app.api)
      const { headers } = await app.api.login({ email, delivery: 'cookie' })
      const cookie = headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; ')
      return app.api.post('/api/v1/auth/refresh', { headers: { cookie, 'sec-fetch-site': 'cross-site' } })
    },
    idempotency_in_progress: async () => {
      const { email, access_token: token } = await someone()
      const { passwords, database } = app.services
      const { verify } = passwords
      const { promise, resolve } = Promise.withResolvers<{ ok: boolean; rehash: boolean }>()
      passwords.verify = () => promise
      const headers = newKey()
      const change = () =>
        app.api.post('/api/v1/auth/change-email', {
          token,
          headers,
          body: { new_email: `new.${email}`, password: PASSWORD },
        })
      const first = change()
      try {
        await until(() => database.db.selectFrom('idempotency_keys').select('id').executeTakeFirst(), { interval: 0 })
        return await change()
      } finally {
        passwords.verify = verify
        resolve({ ok: false, rehash: false })
        await first
      }
    },
    idempotency_key_reused: async () => {
      const { access_token: token } = await someone()
      const headers = newKey()
      await app.api.patch('/api/v1/auth/me', { token, headers, body: { name: 'B' } })
      return app.api.patch('/api/v1/auth/me', { token, headers, body: { name: 'C' } })
    },
    rate_limited: () =>
      until(async () => {
        const answer = await login({ email: 'limited@example.org', password: 'not the password' })
        return answer.status === 429 && answer
      }),
    shutting_down: () =>
      broken(
        (other) => {
          other.services.lifecycle.draining = true
        },
        (other) => other.api.get('/health/ready'),
      ),
  }

  for (const [reason, produce] of Object.entries(producers) as [Reason, () => Promise<Answer>][])
    test(reason, async () => {
      const answer = await produce()
      assert.equal(answer.body.reason, reason)
      assert.equal(answer.status, ERRORS[reason].status)
    })

  test('every defined error is in this list', () => {
    assert.deepEqual(Object.keys(producers).sort(), Object.keys(ERRORS).sort())
  })
})

describe('The sentence for people', () => {
  const app = useApp('sqlite')
  const languages: [string, string][] = [
    ['ru', 'Войдите в аккаунт.'],
    ['ru-RU,ru;q=0.9,en;q=0.8', 'Войдите в аккаунт.'],
    ['de, ru;q=0.5', 'Войдите в аккаунт.'],
    ['en;q=0.4, ru;q=0.5', 'Войдите в аккаунт.'],
    ['en-GB', 'Please sign in.'],
    ['en, ru', 'Please sign in.'],
    ['ru;q=0', 'Please sign in.'],
    ['de, fr', 'Please sign in.'],
    ['*', 'Please sign in.'],
    ['', 'Please sign in.'],
    ['ru;q=abc', 'Please sign in.'],
    [';;;,,,=', 'Please sign in.'],
    ['x'.repeat(5000), 'Please sign in.'],
  ]
  for (const [header, sentence] of languages)
    test(`for Accept-Language "${header.slice(0, 40)}" is "${sentence}"`, async () => {
      const { body } = await app.api.get('/api/v1/auth/me', { headers: { 'accept-language': header } })
      assert.equal(body.error, sentence)
      assert.equal(body.title, 'Access token missing')
    })

  test('exists in both languages for every reason, and /docs/errors lists them all', async () => {
    for (const [locale, letters] of [
      ['en', /^[^а-яё]+$/i],
      ['ru', /[а-яё]/i],
    ] as const) {
      const { body } = await app.api.get('/docs/errors', { headers: { 'accept-language': locale } })
      for (const [reason, { text }] of Object.entries(ERRORS)) {
        assert.match(text[locale], letters, reason)
        assert.ok(body.includes(`id="${reason}"`), reason)
      }
    }
  })
})

describe('An internal error', () => {
  let app: TestApp
  before(async () => {
    app = await startApp('sqlite')
  })
  after(() => app.close())

  test('reveals nothing to the client and is logged in full under the same request id', async () => {
    await app.services.database.db.schema.dropTable('sessions').execute()
    const { email } = await register(app.api)
    const { body } = await app.api.login({ email })
    assert.equal(body.reason, 'internal')
    assert.equal(body.action, 'retry')
    assert.doesNotMatch(JSON.stringify(body), /sessions|sql|table|\.ts/i)
    const line = app.logs.find(({ request_id }) => request_id === body.request_id)
    assert.equal(line?.level, 'error')
    assert.match(JSON.stringify(line?.err), /no such table.*sessions/)
  })
})
