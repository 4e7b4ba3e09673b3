import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOUR, MINUTE } from '../../src/kernel/clock.ts'
import { describeOnEachEngine, PASSWORD, register, signIn, startApp, useApp } from '../support/app.ts'
import { behindProxy, beside, WRONG } from '../support/strangers.ts'

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

  test('an address makes a hundred accounts in an hour, an IPv6 network counting as one', async () => {
    const { email, name } = await register(app.api)
    // One that is taken is told before its password is hashed, and counts like any other.
    const signUp = (ip: string) => post('register', { email, name, password: PASSWORD }, ip)
    for (let number = 0; number < 100; number++) {
      const answer = await signUp(`2001:db8:7:7::${number}`)
      assert.equal(answer.status, 409)
      assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"registration";r=${99 - number};t=\\d+$`))
      assert.equal(answer.headers.get('ratelimit-policy'), '"registration";q=100;w=3600')
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

  test('the machine itself is not limited by its address', async () => {
    const { email, name } = await register(app.api)
    for (let number = 0; number < 101; number++)
      assert.equal((await post('register', { email, name, password: PASSWORD })).status, 409)
  })

  test('three resets in a quarter of an hour are let through for an e-mail, known or not', async () => {
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

  test('thirty resets are let through for an address, whatever the e-mails', async () => {
    for (let number = 0; number < 30; number++) {
      const answer = await post('reset-password', { email: `any-${number}@example.org` }, '203.0.113.30')
      assert.equal(answer.status, 200)
      assert.match(answer.headers.get('ratelimit') ?? '', /^"reset-address";r=\d+;t=\d+, "reset";r=2;t=\d+$/)
    }
    assert.equal((await post('reset-password', { email: 'any@example.org' }, '203.0.113.30')).status, 429)
    assert.equal((await post('reset-password', { email: 'any@example.org' }, '203.0.113.31')).status, 200)
  })

  test('somebody has the verification sent again three times in a quarter of an hour', async () => {
    const [one, two] = [await signIn(app.api, await register(app.api)), await signIn(app.api, await register(app.api))]
    const resend = ({ access_token }: { access_token: string }) =>
      post('verify-email/resend', {}, undefined, access_token)
    for (const status of [200, 200, 200, 429]) assert.equal((await resend(one)).status, status)
    assert.equal((await resend(two)).status, 200)
  })

  test('the current password can be guessed no faster than at login', async () => {
    const { access_token } = await signIn(app.api, await register(app.api))
    const change = (current_password: string) =>
      post('change-password', { current_password, new_password: 'a different walk' }, undefined, access_token)
    for (const left of [4, 3, 2, 1, 0]) {
      const answer = await change(WRONG)
      assert.equal(answer.body.reason, 'password_wrong')
      assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"password";r=${left}`))
    }
    assert.equal((await change(PASSWORD)).body.reason, 'rate_limited')
    // The steps that ask for it share one budget.
    const remove = () => app.api.delete('/api/v1/auth/me', { token: access_token, body: { password: PASSWORD } })
    assert.equal((await remove()).body.reason, 'rate_limited')
    app.clock.advance(1000)
    const changed = await change(PASSWORD)
    assert.equal(changed.status, 200)
    assert.equal(changed.headers.get('ratelimit'), '"password";r=5')
    assert.deepEqual(await rows('password'), [])
  })

  test('a session is refreshed 120 times in a minute, the first sixty without a write; instances count together', async (t) => {
    const one = await startApp(engine, behindProxy())
    t.after(() => one.close())
    const two = await startApp(engine, beside(one))
    t.after(() => two.close())
    const { refresh_token } = await signIn(one.api, await register(one.api))
    const refresh = async (times: number, at = one) => {
      const answers = []
      for (let number = 0; number < times; number++)
        answers.push((await at.api.post('/api/v1/auth/refresh', { body: { refresh_token } })).status)
      return answers.filter((status) => status === 200).length
    }
    const counted = () => one.services.database.db.selectFrom('throttles').select('count').execute()
    assert.equal(await refresh(60), 60)
    assert.deepEqual(await counted(), [])
    assert.equal(await refresh(1), 1)
    assert.deepEqual(await counted(), [{ count: 61 }])
    assert.equal(await refresh(70), 59)
    assert.equal(await refresh(61, two), 60, 'sixty that the other has counted for itself')
    one.clock.advance(MINUTE)
    assert.equal(await refresh(5), 5)
  })

  test('a refresh without any token of ours is no use of anybody’s limit', async () => {
    for (const body of [{ refresh_token: 'nonsense' }, {}])
      assert.ok([400, 401].includes((await post('refresh', body, '203.0.113.60')).status))
  })
})
