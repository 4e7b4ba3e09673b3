import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import type { SignedInUser } from '../../../src/modules/auth/auth.schemas.ts'
import { describeOnEachEngine, register, signIn, startApp, useApp } from '../../support/app.ts'
import { requireStatus } from '../../support/auth-calls.ts'
import { createFrozenClock } from '../../support/login-attempts.ts'

describeOnEachEngine('A refresh', (engine) => {
  const app = useApp(engine)
  const refresh = (refresh_token: string) => app.api.refresh(refresh_token)
  const someone = async () => signIn(app.api, await register(app.api))

  test('gives the next token pair of the same session', async () => {
    const first = await someone()
    const { status, body } = await refresh(first.refresh_token)
    assert.equal(status, 200)
    assert.equal(body.user.session_id, first.session_id)
    assert.notEqual(body.user.refresh_token, first.refresh_token)
    assert.equal((await app.api.me(body.user.access_token)).status, 200)
  })

  test('with the same token gives the same successor, even days later', async () => {
    const { refresh_token } = await someone()
    const lost = (await refresh(refresh_token)).body.user
    app.clock.advance(20 * DAY)
    const again = (await refresh(refresh_token)).body.user
    assert.equal(again.refresh_token, lost.refresh_token)
    assert.equal((await app.api.me(again.access_token)).status, 200)
    assert.equal((await refresh(again.refresh_token)).status, 200)
  })

  test('gives one successor to fifty parallel requests', async () => {
    const { refresh_token } = await someone()
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(refresh_token)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal(new Set(answers.map(({ body }) => body.user.refresh_token)).size, 1)
    const used = answers.map(({ body }) => app.api.me(body.user.access_token))
    assert.deepEqual(new Set((await Promise.all(used)).map(({ status }) => status)), new Set([200]))
  })

  test('with the past token is answered within the grace period after the successor was used', async () => {
    const { refresh_token } = await someone()
    const successor = (await refresh(refresh_token)).body.user
    await app.api.me(successor.access_token)
    app.clock.advance(9 * SECOND)
    assert.equal((await refresh(refresh_token)).body.user.refresh_token, successor.refresh_token)
  })

  for (const [how, use] of [
    [
      'its access token on any call',
      async (pair) => {
        requireStatus(200, await app.api.me(pair.access_token))
        return pair
      },
    ],
    ['its refresh token', async (pair) => (await refresh(pair.refresh_token)).body.user],
  ] as [string, (pair: SignedInUser) => Promise<SignedInUser>][])
    test(`with a past token ends the session once the successor was used as ${how}`, async () => {
      const { refresh_token } = await someone()
      const successor = (await refresh(refresh_token)).body.user
      const latest = await use(successor)
      app.clock.advance(11 * SECOND)
      const replay = await refresh(refresh_token)
      assert.equal(replay.body.reason, 'refresh_reused')
      assert.equal(replay.body.action, 'reauthenticate')
      assert.match(replay.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
      assert.equal((await refresh(latest.refresh_token)).body.reason, 'session_ended')
      assert.equal((await app.api.me(latest.access_token)).body.reason, 'session_ended')
    })

  test('by a thief who comes first is detected when the device comes back', async () => {
    const device = await someone()
    let thief = (await refresh(device.refresh_token)).body.user
    for (let i = 0; i < 3; i++) {
      await app.api.me(thief.access_token)
      app.clock.advance(15 * MINUTE)
      thief = (await refresh(thief.refresh_token)).body.user
    }
    assert.equal((await refresh(device.refresh_token)).body.reason, 'refresh_reused')
    assert.equal((await app.api.me(thief.access_token)).body.reason, 'session_ended')
  })

  test('that ends a session leaves the other sessions of the user alone', async () => {
    const person = await register(app.api)
    const [one, other] = [await signIn(app.api, person), await signIn(app.api, person)]
    await app.api.me((await refresh(one.refresh_token)).body.user.access_token)
    app.clock.advance(11 * SECOND)
    assert.equal((await refresh(one.refresh_token)).body.reason, 'refresh_reused')
    assert.equal((await refresh(other.refresh_token)).status, 200)
  })

  test('updates the device information that is sent and keeps the rest', async () => {
    const person = await register(app.api)
    const first = await signIn(app.api, person, { 'x-device-id': 'phone-1', 'x-app-version': '1.0.0' })
    const { body } = await app.api.refresh(first.refresh_token, { headers: { 'x-app-version': '1.1.0' } })
    const { sessions } = (await app.api.get('/api/v1/auth/sessions', { token: body.user.access_token })).body
    assert.deepEqual([sessions[0].device_id, sessions[0].app_version], ['phone-1', '1.1.0'])
  })

  const forgeries: [string, (token: string) => string][] = [
    ['another last character', (token) => token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A')],
    ['another first character', (token) => (token.startsWith('A') ? 'B' : 'A') + token.slice(1)],
    ['padding', (token) => `${token}==`],
    ['white space', (token) => ` ${token}`],
    ['half of it', (token) => token.slice(0, 35)],
    ['standard base64', (token) => Buffer.from(token, 'base64url').toString('base64').replaceAll('=', '')],
    ['a generation counted up', (token) => changed(token, 19)],
    ['another session', (token) => changed(token, 3)],
    ['no token at all', () => 'x'],
  ]
  for (const [name, forge] of forgeries)
    test(`with ${name} is refused`, async () => {
      const { refresh_token } = await someone()
      const forged = forge(refresh_token)
      if (forged === refresh_token) return // It happens to have no letter in which the alphabets differ.
      const { status, body } = await refresh(forged)
      assert.equal(status, 401)
      assert.equal(body.reason, 'refresh_invalid')
      assert.equal((await refresh(refresh_token)).status, 200)
    })
})

/** A token with one bit of its bytes changed. */
function changed(token: string, index: number): string {
  const bytes = Buffer.from(token, 'base64url')
  bytes[index] = (bytes[index] as number) ^ 1
  return bytes.toString('base64url')
}

describeOnEachEngine('A session', (engine) => {
  const app = useApp(engine, { clock: createFrozenClock() })
  const refresh = (refresh_token: string) => app.api.refresh(refresh_token)

  test('ends after 30 days without use', async () => {
    const { refresh_token } = await signIn(app.api, await register(app.api))
    app.clock.advance(30 * DAY - 1)
    const { user } = (await refresh(refresh_token)).body
    app.clock.advance(30 * DAY)
    assert.equal((await refresh(user.refresh_token)).body.reason, 'session_ended')
  })

  test('ends after 180 days of use, and its refreshes announce that', async () => {
    let user = await signIn(app.api, await register(app.api))
    for (let day = 0; day < 175; day += 25) {
      app.clock.advance(25 * DAY)
      user = (await refresh(user.refresh_token)).body.user
    }
    assert.ok(Math.abs(user.refresh_expires_in - 5 * 24 * 3600) <= 60, `${user.refresh_expires_in}`)
    app.clock.advance(5 * DAY + SECOND)
    assert.equal((await refresh(user.refresh_token)).body.reason, 'session_ended')
  })

  test('is neither listed nor ended after it has expired', async () => {
    const person = await register(app.api)
    await signIn(app.api, person)
    app.clock.advance(31 * DAY)
    const { access_token: token } = await signIn(app.api, person)
    assert.equal((await app.api.get('/api/v1/auth/sessions', { token })).body.sessions.length, 1)
    assert.equal((await app.api.post('/api/v1/auth/logout-all', { token })).body.revoked, 1)
  })

  test('is served while the first use of its token cannot be stored', async () => {
    const { access_token } = await signIn(app.api, await register(app.api))
    const { database } = app.services
    const { transaction } = database
    let attempts = 0
    database.transaction = () => {
      attempts++
      return Promise.reject(Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' }))
    }
    const answer = await app.api.me(access_token)
    database.transaction = transaction
    assert.deepEqual([answer.status, attempts], [200, 1])
    assert.equal((await app.api.me(access_token)).status, 200)
  })

  test('is not extended by a clock that jumps forward and back', async () => {
    const user = await signIn(app.api, await register(app.api))
    app.clock.advance(60 * MINUTE)
    const ahead = (await refresh(user.refresh_token)).body.user
    app.clock.advance(-60 * MINUTE)
    const answer = await app.api.me(ahead.access_token)
    assert.equal(answer.body.reason, 'token_expired')
    assert.equal(answer.body.action, 'refresh')
    const { user: now } = (await refresh(ahead.refresh_token)).body
    assert.ok(now.refresh_expires_in <= 30 * 24 * 3600)
    assert.equal((await app.api.me(now.access_token)).status, 200)
  })
})

describeOnEachEngine('Two instances with one database', (engine) => {
  test('give the same successor', async () => {
    const one = await startApp(engine)
    const url =
      one.config.database.engine === 'postgres' ? one.config.database.url : `sqlite:${one.config.database.file}`
    const other = await startApp(engine, { env: { DATABASE_URL: url }, clock: one.clock })
    try {
      const { refresh_token } = await signIn(one.api, await register(one.api))
      const call = (_: unknown, i: number) => [one, other][i % 2]?.api.refresh(refresh_token)
      const answers = await Promise.all(Array.from({ length: 20 }, call))
      assert.equal(new Set(answers.map((answer) => answer?.body.user.refresh_token)).size, 1)
    } finally {
      await other.close()
      await one.close()
    }
  })
})
