import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOUR, MINUTE, timestamp } from '../../../src/kernel/lib/clock.ts'
import { newId } from '../../../src/kernel/lib/ids.ts'
import type { SignedInUser } from '../../../src/modules/auth/auth.schemas.ts'
import { describeOnEachEngine, register, signIn, startApp, useApp } from '../../support/app.ts'
import { createFrozenClock } from '../../support/login-attempts.ts'

describeOnEachEngine('Sessions of one user', (engine) => {
  const app = useApp(engine, { clock: createFrozenClock(), env: { MAX_SESSIONS: '5', REQUEST_TIMEOUT: '60s' } })
  const sessionsOf = async (token: string) => (await app.api.get('/api/v1/auth/sessions', { token })).body.sessions
  const status = async (token: string) => (await app.api.me(token)).status

  test('are limited: a further sign-in ends the least recently used one', async () => {
    const person = await register(app.api)
    const users = []
    for (let number = 0; number < 5; number++) {
      app.clock.advance(1000)
      users.push(await signIn(app.api, person))
    }
    const [first, second] = users as [SignedInUser, SignedInUser]
    app.clock.advance(MINUTE)
    // The first is used again: now the second was used longest ago.
    assert.equal((await app.api.refresh(first.refresh_token)).status, 200)
    const newest = await signIn(app.api, person)
    assert.deepEqual(
      await Promise.all(users.map(({ access_token }) => status(access_token))),
      [200, 401, 200, 200, 200],
    )
    assert.equal((await sessionsOf(newest.access_token)).length, 5)
    const { db } = app.services.database
    const events = await db
      .selectFrom('audit_events')
      .select(['action', 'session_id', 'details'])
      .where('target_id', '=', person.id)
      .where('action', '=', 'session.ended')
      .execute()
    assert.deepEqual(
      events.map(({ session_id, details }) => [session_id, JSON.parse(details)]),
      [[second.session_id, { reason: 'superseded' }]],
    )
    const row = await db.selectFrom('sessions').select('end_reason').where('id', '=', second.session_id).execute()
    assert.deepEqual(row, [{ end_reason: 'superseded' }])
  })

  test('are limited under fifty parallel sign-ins, and other users lose none', async () => {
    const [person, other] = [await register(app.api), await register(app.api)]
    const bystander = await signIn(app.api, other)
    const users = await Promise.all(Array.from({ length: 50 }, () => signIn(app.api, person)))
    const statuses = await Promise.all(users.map(({ access_token }) => status(access_token)))
    assert.equal(statuses.filter((status) => status === 200).length, 5)
    assert.equal(await status(bystander.access_token), 200)
  })

  test('never lose the newest one, even if the clock was set back', async () => {
    const person = await register(app.api)
    for (let number = 0; number < 5; number++) await signIn(app.api, person)
    app.clock.advance(-HOUR)
    const { access_token: token } = await signIn(app.api, person)
    const sessions = await sessionsOf(token)
    assert.equal(sessions.length, 5)
    assert.ok(sessions.some(({ current }: { current: boolean }) => current))
  })

  test('are cut in batches where an account has 50,000 of them, while others are served', async () => {
    const person = await register(app.api)
    const first = await signIn(app.api, person)
    const { db } = app.services.database
    const template = await db
      .selectFrom('sessions')
      .selectAll()
      .where('id', '=', first.session_id)
      .executeTakeFirstOrThrow()
    const now = app.clock.now()
    for (let batch = 0; batch < 50; batch++) {
      const rows = Array.from({ length: 1000 }, (_, number) => ({
        ...template,
        id: newId(now),
        last_used_at: timestamp(now - 1000 * (batch * 1000 + number)),
      }))
      for (let from = 0; from < 1000; from += 250)
        await db
          .insertInto('sessions')
          .values(rows.slice(from, from + 250))
          .execute()
    }
    const list = await app.api.get('/api/v1/auth/sessions', { token: first.access_token })
    assert.equal(list.body.sessions.length, 5, 'a list is short before, too')
    const liveIds = async () =>
      (
        await db
          .selectFrom('sessions')
          .select('id')
          .where('user_id', '=', person.id)
          .where('ended_at', 'is', null)
          .execute()
      ).map(({ id }) => id)
    const login = (async () => {
      let signedIn = await signIn(app.api, person)
      // Three seconds of one sign-in are enough on a machine that has nothing else to do.
      for (let more = 0; more < 20 && (await liveIds()).length > 5; more++) signedIn = await signIn(app.api, person)
      return signedIn
    })()
    let served = 0
    let isOver = false
    const watch = (async () => {
      while (!isOver) {
        assert.equal((await app.api.get('/health/live')).status, 200)
        served++
      }
    })()
    const { access_token: token, session_id } = await login
    isOver = true
    await watch
    assert.ok(served >= 3, `${served} others were served meanwhile`)
    const live = await liveIds()
    assert.equal(live.length, 5)
    assert.ok(live.includes(session_id))
    assert.equal(await status(token), 200)
    const ended = await db
      .selectFrom('audit_events')
      .select('details')
      .where('target_id', '=', person.id)
      .where('action', '=', 'sessions.ended')
      .execute()
    const counts = ended.map(({ details }) => JSON.parse(details).ended as number)
    assert.ok(Math.max(...counts) <= 1000, 'no transaction ends more')
    // A further sign-in ends some of those before it as well, one by one.
    const sum = counts.reduce((sum, count) => sum + count, 0)
    assert.ok(sum >= 49_990 && sum <= 50_020, `${sum}`)
  })
})

describeOnEachEngine('A sign-in in progress', (engine) => {
  test('is refused when the password is changed meanwhile', async (t) => {
    const app = await startApp(engine)
    t.after(() => app.close())
    const { email, password, id } = await register(app.api)
    // The real check of the old password; then, before the sign-in goes on, the password changes.
    const { passwords, operator } = app.services
    const { verify } = passwords
    passwords.verify = async (...given) => {
      passwords.verify = verify
      const verified = await verify(...given)
      assert.ok(verified.ok)
      await operator.setPassword(email, 'what the operator has set')
      return verified
    }
    const answer = await app.api.login({ email, password })
    assert.deepEqual([answer.status, answer.body.reason], [401, 'invalid_credentials'])
    const { db } = app.services.database
    assert.deepEqual(await db.selectFrom('sessions').select('id').where('user_id', '=', id).execute(), [])
    assert.deepEqual(await db.selectFrom('known_devices').select('device').where('user_id', '=', id).execute(), [])
    await signIn(app.api, { email, password: 'what the operator has set' })
  })
})
