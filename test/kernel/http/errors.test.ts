import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import Database from 'better-sqlite3'
import { ERRORS, type Reason } from '../../../src/errors.ts'
import { MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import { createAdmin, PASSWORD, register, signIn, startApp, type TestApp, useApp } from '../../support/app.ts'
import { parseRaw, sendRaw } from '../../support/raw.ts'

type Answer = { status: number; body: { reason: string; error: string } }

/** Where the reasons are produced that belong to one feature. */
const ELSEWHERE: Partial<Record<Reason, string>> = {
  password_wrong: 'test/modules/account/*.test.ts',
  email_not_verified: 'test/modules/account/*.test.ts',
  account_deletion_pending: 'test/modules/account/*.test.ts',
  link_invalid: 'test/modules/account/*.test.ts',
  cross_site_request: 'test/modules/auth/cookie.test.ts',
  idempotency_in_progress: 'test/kernel/http/idempotency/*.test.ts',
  idempotency_key_reused: 'test/kernel/http/idempotency/*.test.ts',
  rate_limited: 'test/modules/rate-limits/*.test.ts',
}

describe('Every reason can be produced', () => {
  const app = useApp('sqlite', { env: { REQUEST_TIMEOUT: '1s' } })
  const login = (body: unknown, headers = {}) => app.api.post('/api/v1/auth/login', { body, headers })
  const someone = async () => signIn(app.api, await register(app.api))
  const administrator = async () => signIn(app.api, await createAdmin(app.services))
  const refresh = (refresh_token: string) => app.api.post('/api/v1/auth/refresh', { body: { refresh_token } })
  const raw = async (...parts: string[]): Promise<Answer> => {
    const answer = parseRaw(await sendRaw(app.url, ...parts))
    app.api.check('GET', '/', answer)
    return { ...answer, body: JSON.parse(answer.text) }
  }
  /** An app of its own, for what breaks it. */
  const broken = async (breakIt: (app: TestApp) => unknown, ask: (app: TestApp) => Promise<Answer>) => {
    const other = await startApp('sqlite')
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
      return await other.api.post('/api/v1/auth/register', { body })
    } finally {
      lock.close()
      await other.close()
    }
  }

  const producers: Partial<Record<Reason, () => Promise<Answer>>> = {
    malformed_json: () => login('{'),
    expectation_failed: () => raw('GET /health HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n'),
    malformed_request: () => app.api.get('/api/v1/users/%zz'),
    validation_failed: () => login({}),
    password_refused: () =>
      app.api.post('/api/v1/auth/register', { body: { email: 'a@example.org', name: 'A', password: 'password' } }),
    invalid_cursor: async () => app.api.get('/api/v1/users?cursor=x', { token: (await administrator()).access_token }),
    token_missing: () => app.api.get('/api/v1/auth/me'),
    token_invalid: () => app.api.get('/api/v1/auth/me', { token: 'x' }),
    token_expired: async () => {
      const { access_token: token } = await someone()
      app.clock.advance(16 * MINUTE)
      return app.api.get('/api/v1/auth/me', { token })
    },
    session_ended: async () => {
      const { access_token: token } = await someone()
      await app.api.post('/api/v1/auth/logout', { token })
      return app.api.get('/api/v1/auth/me', { token })
    },
    refresh_invalid: () => refresh('x'),
    refresh_reused: async () => {
      const { refresh_token } = await someone()
      await refresh((await refresh(refresh_token)).body.user.refresh_token)
      app.clock.advance(11 * SECOND)
      return refresh(refresh_token)
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
    request_timeout: () => raw('GET /health HTTP/1.1\r\nHost: x\r\n'),
    email_taken: async () => {
      const { email } = await register(app.api)
      return app.api.post('/api/v1/auth/register', { body: { email, name: 'A', password: PASSWORD } })
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
      return app.api.post('/api/v1/auth/login', { body, headers: { 'sec-fetch-site': 'cross-site' } })
    },
    headers_too_large: () => raw(`GET /health HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`),
    internal: () =>
      broken(
        (other) => other.services.database.db.schema.dropTable('sessions').execute(),
        async (other) => {
          const { email } = await register(other.api)
          return other.api.post('/api/v1/auth/login', { body: { email, password: PASSWORD } })
        },
      ),
    overloaded: () =>
      broken(
        () => {},
        async ({ api }) => {
          const body = (i: number) => ({ email: `${i}@example.org`, password: PASSWORD })
          const storm = Array.from({ length: 200 }, (_, i) => api.post('/api/v1/auth/login', { body: body(i) }))
          return (await Promise.all(storm)).find(({ status }) => status === 503) ?? assert.fail('nobody was put off')
        },
      ),
    database_unavailable: () => whileLocked({ REQUEST_TIMEOUT: '3s' }),
    deadline_exceeded: async () => {
      const { passwords } = app.services
      const { verify } = passwords
      passwords.verify = () => new Promise(() => {})
      return login({ email: 'nobody@example.org', password: PASSWORD }).finally(() => {
        passwords.verify = verify
      })
    },
    shutting_down: () =>
      broken(
        (other) => {
          other.services.lifecycle.draining = true
        },
        (other) => other.api.get('/health/ready'),
      ),
  }

  for (const reason of Object.keys(ERRORS) as Reason[]) {
    const pattern = ELSEWHERE[reason]
    if (pattern)
      test(`${reason}, in ${pattern}`, () => {
        const root = new URL('../../../', import.meta.url)
        const files = globSync(pattern, { cwd: root })
        assert.ok(
          files.some((file) => new RegExp(`['"\`]${reason}['"\`]`).test(readFileSync(new URL(file, root), 'utf8'))),
        )
      })
    else
      test(reason, async () => {
        const answer = await (producers[reason] ?? assert.fail('nothing produces it'))()
        assert.equal(answer.body.reason, reason)
        assert.equal(answer.status, ERRORS[reason].status)
      })
  }
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
    test(`for Accept-Language "${header.slice(0, 40)}" is: ${sentence}`, async () => {
      const { body } = await app.api.get('/api/v1/auth/me', { headers: { 'accept-language': header } })
      assert.equal(body.error, sentence)
      assert.equal(body.title, 'Access token missing')
    })

  test('is there in both languages for every reason, with a page that lists them all', async () => {
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

describe('A fault of ours', () => {
  let app: TestApp
  before(async () => {
    app = await startApp('sqlite')
  })
  after(() => app.close())

  test('tells the caller nothing, and the log everything, under one id', async () => {
    await app.services.database.db.schema.dropTable('sessions').execute()
    const { email } = await register(app.api)
    const { body } = await app.api.post('/api/v1/auth/login', { body: { email, password: PASSWORD } })
    assert.equal(body.reason, 'internal')
    assert.equal(body.action, 'retry')
    assert.doesNotMatch(JSON.stringify(body), /sessions|sql|table|\.ts/i)
    const line = app.logs.find(({ request_id }) => request_id === body.request_id)
    assert.equal(line?.level, 'error')
    assert.match(JSON.stringify(line?.err), /no such table.*sessions/)
  })
})
