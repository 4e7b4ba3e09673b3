import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import { register, signIn, type TestApp, useApp } from '../support/app.ts'
import { loginFrom } from '../support/login-attempts.ts'

/** Where somebody who signs in with these headers is seen to come from, by their session and by the log. */
async function seenOf(app: TestApp, headers: Record<string, string>): Promise<unknown> {
  const { email } = await register(app.api)
  const { access_token: token } = await signIn(app.api, { email }, headers)
  const { sessions } = (await app.api.get('/api/v1/auth/sessions', { token })).body
  const events = await app.services.database.db.selectFrom('audit_events').select('ip').orderBy('id', 'desc').execute()
  const line = app.logs.filter(({ route }) => route === '/api/v1/auth/login').at(-1)
  assert.equal(line?.ip, sessions[0].ip)
  assert.equal(events[0]?.ip, sessions[0].ip)
  return sessions[0].ip
}

const FORGED = {
  'x-forwarded-for': '203.0.113.7, 198.51.100.2',
  'x-real-ip': '203.0.113.7',
  forwarded: 'for=203.0.113.7',
}

const settings: [name: string, trust: string, seen: string][] = [
  ['no proxy is named', 'off', '127.0.0.1'],
  ['one is, and this is it: what that one tells counts, and not what it was told', '1', '198.51.100.2'],
  ['two are', '2', '203.0.113.7'],
  ['one is by its address', 'loopback', '198.51.100.2'],
  ['one is by its network', '127.0.0.0/8, 198.51.100.0/24', '203.0.113.7'],
  ['another one is by its address', '10.0.0.0/8', '127.0.0.1'],
]
for (const [name, trust, seen] of settings)
  describe(`Where ${name}`, () => {
    const app = useApp('sqlite', { env: { TRUST_PROXY: trust } })

    test(`a client that forges headers is seen as ${seen}`, async () => {
      assert.equal(await seenOf(app, FORGED), seen)
    })
  })

describe('A client address from a trusted proxy', () => {
  const app = useApp('sqlite', { env: { TRUST_PROXY: '1' } })

  for (const [written, seen] of [
    ['203.0.113.7:4711', '203.0.113.7'],
    ['[2001:db8::7]:4711', '2001:db8::7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['fe80::7%eth0', 'fe80::7'],
    ['unknown', '127.0.0.1'],
    ['<script>', '127.0.0.1'],
    ['203.0.113.7, unknown', '127.0.0.1'],
    ['', '127.0.0.1'],
  ] as const)
    test(`"${written}" gives the address ${seen}`, async () => {
      assert.equal(await seenOf(app, { 'x-forwarded-for': written }), seen)
    })

  test('with a changing port counts as one address for the limits', async () => {
    const statuses = []
    for (let number = 0; number < 52; number++)
      statuses.push((await loginFrom(app, `203.0.113.9:${4000 + number}`, `sprayed-${number}@example.org`)).status)
    assert.deepEqual([...new Set(statuses.slice(0, 50))], [401])
    assert.ok(statuses.slice(50).includes(429), String(statuses.slice(50)))
  })

  test('that is invalid counts as the proxy', async () => {
    const statuses = []
    for (let number = 0; number < 52; number++)
      statuses.push((await loginFrom(app, `not-${number}`, `hidden-${number}@example.org`)).status)
    assert.ok(statuses.includes(429))
  })

  test('is logged for requests that reach no route', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.77:1' }
    await new Promise((resolve) =>
      request(`${app.url}/%E0%A4%A`, { headers }, (answer) => answer.resume().on('end', resolve)).end(),
    )
    assert.equal(app.logs.at(-1)?.ip, '203.0.113.77')
  })
})

/** How many of sixty wrong tries, each of another account, were let through. */
async function letThrough(app: TestApp, headers: Record<string, string>): Promise<number> {
  let count = 0
  for (let number = 0; number < 60; number++) {
    const body = { email: `anybody-${number}@example.org`, password: 'a wrong walk' }
    if ((await app.api.login(body, { headers })).status === 401) count++
  }
  return count
}

describe('A local proxy that TRUST_PROXY does not name', () => {
  const app = useApp('sqlite', { env: { TRUST_PROXY: 'off' } })

  test('counts as one address, whatever it sends, and is reported once', async () => {
    assert.ok((await letThrough(app, { 'x-forwarded-for': '203.0.113.7' })) < 60)
    const warnings = app.logs.filter(({ level }) => level === 'warn')
    assert.equal(warnings.length, 1)
    assert.equal(warnings[0]?.proxy, '127.0.0.1')
    assert.match(String(warnings[0]?.msg), /TRUST_PROXY/)
  })

  for (const header of ['forwarded', 'x-real-ip', 'via'])
    test(`is detected by its ${header} header alone`, async () => {
      assert.ok((await letThrough(app, { [header]: 'x' })) < 60)
    })

  test('is limited, while loopback without a proxy is not in development', async () => {
    assert.equal(await letThrough(app, {}), 60)
  })
})

describe('In production', () => {
  const app = useApp('sqlite', { env: { NODE_ENV: 'production' } })

  test('loopback is limited as well: it may be a proxy without headers', async () => {
    assert.ok((await letThrough(app, {})) < 60)
  })
})
