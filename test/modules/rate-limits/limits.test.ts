import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOUR, MINUTE } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, register, signIn, startApp, useApp } from '../../support/app.ts'
import { behindProxy, beside, WRONG } from '../../support/login-attempts.ts'

describeOnEachEngine('Limits', (engine) => {
  const app = useApp(engine, behindProxy())
  const post = (path: string, body: unknown, ip?: string, token?: string) =>
    app.api.post(`/api/v1/auth/${path}`, {
      body,
      ...(token && { token }),
      headers: ip ? { 'x-forwarded-for': ip } : {},
    })
  const rows = (policy: string) =>
    app.services.database.db.selectFrom('throttles').selectAll().where('key', 'like', `${policy}:%`).execute()

  test('allow a hundred registrations an hour per address or IPv6 network', async () => {
    const { email, name } = await register(app.api)
    // One that is taken is told before its password is hashed, and counts like any other.
    const signUp = (ip: string) => post('register', { email, name, password: PASSWORD }, ip)
    for (let number = 0; number < 100; number++) {
      const answer = await signUp(`2001:db8:7:7::${number}`)
      assert.equal(answer.status, 409)
      assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"registration";r=${99 - number};t=\\d+, "reg`))
      assert.match(answer.headers.get('ratelimit-policy') ?? '', /^"registration";q=100;w=3600, /)
    }
    const before = await rows('registration')
    const refused = await signUp('2001:db8:7:7:8::1')
    assert.equal(refused.body.reason, 'rate_limited')
    assert.match(refused.headers.get('ratelimit') ?? '', /^"registration";r=0;t=\d+$/)
    assert.deepEqual(await rows('registration'), before, 'what is refused is not written')
    assert.equal((await signUp('2001:db8:7:8::1')).status, 409, 'another network')
    app.clock.advance(HOUR)
    assert.equal((await signUp('2001:db8:7:7::1')).status, 409)
  })

  test('do not count registrations with a refused password', async () => {
    const { email, name } = await register(app.api)
    const ip = '203.0.113.18'
    for (let number = 0; number < 120; number++) {
      const body = { email: `new-${number}@example.org`, name, password: 'password1' }
      assert.equal((await post('register', body, ip)).body.reason, 'password_refused')
    }
    const answer = await post('register', { email, name, password: PASSWORD }, ip)
    assert.equal(answer.status, 409)
    assert.match(answer.headers.get('ratelimit') ?? '', /^"registration";r=99;/)
  })

  test('allow a /48 ten times as much as a /64', async () => {
    const reset = (number: number, site = '2001:db8:48') =>
      post('reset-password', { email: `site-${number}@example.org` }, `${site}:${number.toString(16)}::1`)
    const answers = await Promise.all(Array.from({ length: 300 }, (_, number) => reset(number)))
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
    const refused = await reset(300)
    assert.equal(refused.status, 429)
    assert.match(refused.headers.get('ratelimit') ?? '', /^"reset-site";r=0;t=\d+$/)
    assert.equal((await reset(301, '2001:db8:49')).status, 200, 'another site')
    assert.equal((await post('reset-password', { email: 'v4@example.org' }, '203.0.113.48')).status, 200)
  })

  test('delay a /48 after a thousand wrong passwords, except known devices', async () => {
    const attempt = async (number: number, site = '2001:db8:99::/48') => {
      const origin = { network: `2001:db8:99:${number}::/64`, site }
      const caller = { emailKey: `n-${number}`, userId: null, devices: [], origin }
      await (await app.services.rateLimits.beginLogin(caller)).fail()
    }
    await attempt(0)
    const { db } = app.services.database
    assert.equal((await rows('login-site')).length, 1)
    await db.updateTable('throttles').set({ count: 999 }).where('key', 'like', 'login-site:%').execute()
    await attempt(1)
    await assert.rejects(attempt(1000), { reason: 'rate_limited' })
    await attempt(1001, '2001:db8:9a::/48')
  })

  test('do not apply to loopback addresses', async () => {
    const { email, name } = await register(app.api)
    for (let number = 0; number < 101; number++)
      assert.equal((await post('register', { email, name, password: PASSWORD })).status, 409)
  })

  test('allow three resets per email in 15 minutes, known or not', async () => {
    const { email } = await register(app.api)
    for (const address of [email, 'nobody@example.org']) {
      for (const left of [2, 1, 0]) {
        const answer = await post('reset-password', { email: left ? address : address.toUpperCase() })
        assert.equal(answer.status, 200)
        assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"reset";r=${left};t=`))
      }
      assert.equal((await post('reset-password', { email: address })).status, 429)
    }
    app.clock.advance(15 * MINUTE)
    assert.equal((await post('reset-password', { email })).status, 200)
  })

  test('allow thirty resets per address, whatever the emails', async () => {
    for (let number = 0; number < 30; number++) {
      const answer = await post('reset-password', { email: `any-${number}@example.org` }, '203.0.113.30')
      assert.equal(answer.status, 200)
      assert.match(answer.headers.get('ratelimit') ?? '', /^"reset-address";r=\d+;t=\d+, "reset";r=2;t=\d+$/)
    }
    assert.equal((await post('reset-password', { email: 'any@example.org' }, '203.0.113.30')).status, 429)
    assert.equal((await post('reset-password', { email: 'any@example.org' }, '203.0.113.31')).status, 200)
  })

  test('allow three verification emails in 15 minutes', async () => {
    const [one, two] = [await signIn(app.api, await register(app.api)), await signIn(app.api, await register(app.api))]
    const resend = ({ access_token }: { access_token: string }) =>
      post('verify-email/resend', {}, undefined, access_token)
    for (const status of [200, 200, 200, 429]) assert.equal((await resend(one)).status, status)
    assert.equal((await resend(two)).status, 200)
  })

  test('slow down guessing of the current password as at login', async () => {
    const { access_token } = await signIn(app.api, await register(app.api))
    const change = (current_password: string) =>
      post('change-password', { current_password, new_password: 'a different walk' }, undefined, access_token)
    for (const left of [4, 3, 2, 1, 0]) {
      const answer = await change(WRONG)
      assert.equal(answer.body.reason, 'password_wrong')
      assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"password";r=${left}`))
    }
    assert.equal((await change(PASSWORD)).body.reason, 'rate_limited')
    // The steps that ask for it share one limit.
    const remove = () => app.api.delete('/api/v1/auth/me', { token: access_token, body: { password: PASSWORD } })
    assert.equal((await remove()).body.reason, 'rate_limited')
    app.clock.advance(1000)
    const changed = await change(PASSWORD)
    assert.equal(changed.status, 200)
    assert.equal(changed.headers.get('ratelimit'), '"password";r=5')
    assert.deepEqual(await rows('password'), [])
  })

  test('allow 120 refreshes of a session a minute over all instances, the first sixty without a write', async (t) => {
    const one = await startApp(engine, behindProxy())
    t.after(() => one.close())
    const two = await startApp(engine, beside(one))
    t.after(() => two.close())
    const { refresh_token } = await signIn(one.api, await register(one.api))
    const refresh = async (times: number, at = one) => {
      const answers = []
      for (let number = 0; number < times; number++) answers.push((await at.api.refresh(refresh_token)).status)
      return answers.filter((status) => status === 200).length
    }
    const counted = () =>
      one.services.database.db.selectFrom('throttles').select('count').where('key', 'like', 'refresh%').execute()
    assert.equal(await refresh(60), 60)
    assert.deepEqual(await counted(), [])
    assert.equal(await refresh(1), 1)
    assert.deepEqual(await counted(), [{ count: 61 }])
    assert.equal(await refresh(70), 59)
    assert.equal(await refresh(61, two), 60, 'sixty that the other has counted for itself')
    one.clock.advance(MINUTE)
    assert.equal(await refresh(5), 5)
  })

  test('do not count refreshes with an invalid token', async () => {
    const { refresh_token } = await signIn(app.api, await register(app.api))
    const junk = Buffer.from(refresh_token, 'base64url')
    junk[junk.length - 1] = (junk.at(-1) as number) ^ 1
    const bodies = [{ refresh_token: 'nonsense' }, {}, { refresh_token: junk.toString('base64url') }]
    for (const body of bodies) {
      const answer = await post('refresh', body, '203.0.113.60')
      assert.deepEqual([answer.status, answer.body.reason], [401, 'refresh_invalid'])
      assert.equal(answer.headers.get('ratelimit'), null)
    }
    for (let number = 0; number < 50; number++) await post('refresh', bodies[number % 3], '203.0.113.60')
    const honest = await post('refresh', { refresh_token }, '203.0.113.60')
    assert.equal(honest.status, 200)
    assert.match(honest.headers.get('ratelimit') ?? '', /"refresh-address";r=2999;/)
  })
})
