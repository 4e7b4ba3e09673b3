import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DAY, SECOND } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, register, signIn, startApp, useApp } from '../../support/app.ts'
import type { Response } from '../../support/client.ts'
import { newKey } from '../../support/idempotency.ts'

const NAME = '__Secure-bukhindor_refresh'
const OWN = { origin: 'https://api.example.org', 'sec-fetch-site': 'same-origin' }
const REFRESH = '/api/v1/auth/refresh'

/** The cookies that an answer sets, by their names without the prefix: value and attributes. */
function cookiesOf({ headers }: Response) {
  const cookies = headers.getSetCookie().map((line) => {
    const [pair = '', ...attributes] = line.split('; ')
    return { name: pair.split('=')[0] as string, value: pair.slice(pair.indexOf('=') + 1), attributes }
  })
  const named = new Map(cookies.map((cookie) => [cookie.name.replace(/^__Secure-/, ''), cookie]))
  assert.equal(named.size, cookies.length, 'no cookie is set twice')
  return named
}
const cookieOf = (answer: Response) => cookiesOf(answer).get('bukhindor_refresh') ?? assert.fail('no refresh cookie')
const deviceCookieOf = (answer: Response) =>
  cookiesOf(answer).get('bukhindor_device') ?? assert.fail('no device cookie')

describeOnEachEngine('A refresh cookie', (engine) => {
  const t = useApp(engine, { env: { CORS_ALLOWED_ORIGINS: 'https://app.example.org' } })

  async function browser() {
    const { email } = await register(t.api)
    const body = { email, password: PASSWORD, delivery: 'cookie' }
    const answer = await t.api.login(body)
    assert.equal(answer.status, 200)
    return { email, answer, cookie: cookieOf(answer).value, token: answer.body.user.access_token as string }
  }
  const refresh = (cookie: string, headers: Record<string, string> = OWN, body?: unknown) => {
    t.api.secrets.add(cookie)
    return t.api.post(REFRESH, { body, headers: { cookie: `theme=dark; ${NAME}=${cookie}`, ...headers } })
  }

  test('is set by a login, HttpOnly and for its path only, and the token is not in the body', async () => {
    const { answer } = await browser()
    const { name, value, attributes } = cookieOf(answer)
    assert.equal(name, NAME)
    assert.match(value, /^[\w-]{70}$/)
    assert.deepEqual(attributes.sort(), [
      'HttpOnly',
      `Max-Age=${answer.body.user.refresh_expires_in}`,
      'Path=/api/v1/auth',
      'SameSite=Strict',
      'Secure',
    ])
    assert.equal(answer.body.user.refresh_expires_in, (30 * DAY) / SECOND)
    assert.ok(!('refresh_token' in answer.body.user))
    assert.ok(!JSON.stringify(answer.body).includes(value))
  })

  test('is set only on request', async () => {
    const { email } = await register(t.api)
    for (const delivery of [undefined, null, 'body']) {
      const answer = await t.api.login({ email, delivery })
      const { access_token: token, refresh_token } = answer.body.user
      const again = await t.api.post(REFRESH, { body: { refresh_token } })
      assert.ok(again.body.user.refresh_token)
      const out = await t.api.post('/api/v1/auth/logout', { token })
      for (const { headers } of [answer, again, out]) assert.equal(headers.get('set-cookie'), null)
    }
  })

  test('refreshes without a body and is always replaced by a cookie', async () => {
    const { cookie, email } = await browser()
    for (const body of [undefined, {}, { delivery: 'body' }]) {
      const answer = await refresh(cookie, OWN, body)
      assert.deepEqual([answer.status, answer.body.user.email], [200, email])
      assert.ok(!JSON.stringify(answer.body).includes(cookieOf(answer).value))
      assert.notEqual(cookieOf(answer).value, cookie)
    }
    const { refresh_token } = await signIn(t.api, { email })
    const moved = await t.api.post(REFRESH, { body: { refresh_token, delivery: 'cookie' } })
    assert.ok(!('refresh_token' in moved.body.user))
    assert.equal(cookieOf(moved).name, NAME)
  })

  test('tolerates a lost answer; reuse of a past one ends the session and deletes the cookie', async () => {
    const { cookie } = await browser()
    const lost = cookieOf(await refresh(cookie)).value
    const again = await refresh(cookie)
    assert.equal(cookieOf(again).value, lost)
    assert.equal((await refresh(lost)).status, 200)
    t.clock.advance(11 * SECOND)
    const thief = await refresh(cookie)
    assert.deepEqual([thief.status, thief.body.reason], [401, 'refresh_reused'])
    const ended = await refresh(lost)
    assert.deepEqual([ended.status, ended.body.reason], [401, 'session_ended'])
    for (const answer of [thief, ended]) {
      const { name, value, attributes } = cookieOf(answer)
      assert.deepEqual([name, value, attributes.includes('Max-Age=0')], [NAME, '', true])
      assert.ok(attributes.includes('Path=/api/v1/auth'))
    }
  })

  test('is accepted only from this site or an allowed origin', async () => {
    const { cookie } = await browser()
    const app = 'https://app.example.org'
    const refused: Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site', origin: app },
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-site', origin: 'https://evil.example.org' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'https://api.example.org.evil.example' },
      { origin: 'http://api.example.org' },
      { origin: 'null' },
      {},
    ]
    for (const headers of refused) {
      const answer = await refresh(cookie, headers)
      assert.deepEqual([answer.status, answer.body.reason], [403, 'cross_site_request'], JSON.stringify(headers))
      assert.equal(answer.headers.get('set-cookie'), null)
    }
    const allowed: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'same-site', origin: app },
      { origin: 'https://api.example.org' },
      { origin: app },
    ]
    for (const headers of allowed) assert.equal((await refresh(cookie, headers)).status, 200, JSON.stringify(headers))
  })

  test('that is missing, empty, malformed, duplicated or foreign is ignored', async () => {
    const { cookie } = await browser()
    for (const header of [
      '',
      'theme=dark',
      `bukhindor_refresh=${cookie}`,
      `x${NAME}=${cookie}`,
      `${NAME}=`,
      `${NAME}="${cookie}"`,
      `${NAME}=${cookie.slice(1)}`,
      `${NAME}=${'a'.repeat(5000)}`,
      `${NAME}=${cookie}; ${NAME}=${cookie}`,
    ]) {
      const { status, body } = await t.api.post(REFRESH, { headers: { ...OWN, cookie: header } })
      assert.deepEqual([status, body.reason, body.action], [401, 'refresh_invalid', 'reauthenticate'], header)
    }
    for (const body of ['[]', '"text"', { refresh_token: 7 }, { refresh_token: null }, { token: cookie }])
      assert.equal((await refresh(cookie, OWN, body)).status, 400)
  })

  test('is deleted at logout, unless the session stays', async () => {
    const { cookie, token } = await browser()
    const headers = { cookie: `${NAME}=${cookie}` }
    const stays = await t.api.post('/api/v1/auth/logout-all', { token, headers, body: { keep_current: true } })
    assert.equal(stays.headers.get('set-cookie'), null)
    const out = await t.api.post('/api/v1/auth/logout', { token, headers })
    assert.deepEqual([out.status, cookieOf(out).value, cookieOf(out).attributes[0]], [200, '', 'Max-Age=0'])
    const everywhere = await browser()
    const all = await t.api.post('/api/v1/auth/logout-all', {
      token: everywhere.token,
      headers: { cookie: `${NAME}=${everywhere.cookie}` },
    })
    assert.equal(cookieOf(all).value, '')
  })

  test('comes with a device cookie, which identifies the device at the next sign-in', async () => {
    const { answer, email } = await browser()
    const { name, value, attributes } = deviceCookieOf(answer)
    assert.equal(name, '__Secure-bukhindor_device')
    assert.deepEqual(attributes.sort(), [
      'HttpOnly',
      `Max-Age=${(400 * DAY) / SECOND}`,
      'Path=/api/v1/auth',
      'SameSite=Strict',
      'Secure',
    ])
    assert.ok(!('device_token' in answer.body.user))
    assert.ok(!JSON.stringify(answer.body).includes(value))
    t.api.secrets.add(value)
    const login = async (headers: Record<string, string>, password = PASSWORD) =>
      (await t.api.login({ email, password, delivery: 'cookie' }, { headers })).status
    const cookie = `theme=dark; ${name}=${value}`
    for (let number = 0; number < 5; number++) assert.equal(await login(OWN, 'a wrong password'), 401)
    assert.equal(await login(OWN), 429)
    assert.equal(await login({ cookie }), 429, 'nobody says that this site has sent it')
    assert.equal(await login({ ...OWN, cookie: `${cookie}; ${name}=${value}` }), 429)
    assert.equal(await login({ ...OWN, cookie }), 200)
  })

  test('keeps the devices of other users of the same browser known', async () => {
    let cookie = ''
    const people: string[] = []
    // As many as the cookie has room for, the first of them at its end.
    for (let number = 0; number < 4; number++) {
      const { email } = await register(t.api)
      const body = { email, password: PASSWORD, delivery: 'cookie' }
      const answer = await t.api.login(body, { headers: { ...OWN, ...(cookie && { cookie }) } })
      const { name, value } = deviceCookieOf(answer)
      cookie = `${name}=${value}`
      people.push(email)
    }
    t.api.secrets.add(cookie)
    for (const email of people) {
      const body = { email, password: 'a wrong password' }
      for (let number = 0; number < 5; number++) await t.api.login(body)
      const right = { email, password: PASSWORD }
      assert.equal((await t.api.login(right)).status, 429)
      assert.equal((await t.api.login(right, { headers: { ...OWN, cookie } })).status, 200)
    }
  })

  test('is refused at login where the browser would drop it', async () => {
    const { email } = await register(t.api)
    const app = 'https://app.example.org'
    const dropped: [Record<string, string>, RegExp][] = [
      [{ 'sec-fetch-site': 'cross-site', origin: app }, /Sec-Fetch-Site: cross-site/],
      [{ 'sec-fetch-site': 'cross-site', origin: 'https://app.example.com' }, /https:\/\/app\.example\.com/],
      [{ origin: 'https://evil.example.org', 'sec-fetch-site': 'same-site' }, /CORS_ALLOWED_ORIGINS/],
      [{ origin: 'http://app.example.org' }, /requires HTTPS/],
    ]
    for (const [headers, detail] of dropped) {
      const body = { email, password: PASSWORD, delivery: 'cookie' }
      const answer = await t.api.login(body, { headers })
      assert.deepEqual([answer.status, answer.body.reason], [400, 'cookie_not_deliverable'], JSON.stringify(headers))
      assert.match(answer.body.detail, detail)
      assert.match(answer.body.detail, /"delivery": "body"/)
      assert.equal(answer.headers.get('set-cookie'), null)
      const inBody = await t.api.login({ email }, { headers })
      assert.equal(inBody.status, 200)
      const { refresh_token } = inBody.body.user
      const moved = await t.api.post(REFRESH, { body: { refresh_token, delivery: 'cookie' }, headers })
      assert.deepEqual([moved.status, moved.body.reason], [400, 'cookie_not_deliverable'])
    }
    for (const headers of [OWN, { origin: app, 'sec-fetch-site': 'same-site' }, {}]) {
      const body = { email, password: PASSWORD, delivery: 'cookie' }
      assert.equal((await t.api.login(body, { headers })).status, 200)
    }
  })

  test('is set again by an idempotent replay, but not for another cookie', async () => {
    const { email } = await register(t.api)
    const headers = newKey()
    const login = () => t.api.login({ email, delivery: 'cookie' }, { headers })
    const [first, repeated] = [await login(), await login()]
    assert.equal(repeated.headers.get('idempotency-replayed'), 'true')
    assert.deepEqual(cookieOf(repeated), cookieOf(first))
    const cookie = cookieOf(first).value
    const next = await refresh(cookie, { ...OWN, ...headers })
    assert.deepEqual(cookieOf(await refresh(cookie, { ...OWN, ...headers })), cookieOf(next))
    const other = await browser()
    const own = await refresh(other.cookie, { ...OWN, ...headers })
    assert.deepEqual([own.status, own.headers.get('idempotency-replayed')], [200, null])
    assert.notEqual(own.body.user.session_id, next.body.user.session_id)
  })
})

describe('The refresh cookie in development', () => {
  test('works without HTTPS on localhost with another port', async () => {
    const t = await startApp('sqlite', { env: { APP_URL: 'http://localhost:8080' } })
    try {
      const { email } = await register(t.api)
      const headers = { origin: 'http://localhost:51234', 'sec-fetch-site': 'same-site' }
      const login = await t.api.login({ email, delivery: 'cookie' }, { headers })
      const { name, value, attributes } = cookieOf(login)
      assert.equal(name, 'bukhindor_refresh')
      assert.ok(!attributes.includes('Secure'))
      assert.equal(login.headers.get('access-control-allow-credentials'), 'true')
      const answer = await t.api.post(REFRESH, { headers: { ...headers, cookie: `${name}=${value}` } })
      assert.equal(answer.status, 200)
    } finally {
      await t.close()
    }
  })
})
