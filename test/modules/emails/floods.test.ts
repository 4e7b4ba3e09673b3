import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, HOUR, MINUTE } from '../../../src/kernel/lib/clock.ts'
import {
  createAdmin,
  describeOnEachEngine,
  PASSWORD,
  register,
  registerVerified,
  signIn,
  useApp,
} from '../../support/app.ts'
import { behindProxy } from '../../support/login-attempts.ts'

const PHISHING = 'Your account is locked, open https://evil.example/unlock or call +7 900 123-45-67'
/** A device of its own for each number, that tells what somebody else is meant to read. */
const device = (number: number) => ({
  'user-agent': `${PHISHING} ${number}`,
  'x-device-id': `device-number-${number}-of-many`,
})

describeOnEachEngine('Email limits', (engine) => {
  const app = useApp(engine, behindProxy())
  const mailsTo = async (recipient: string) =>
    (await app.services.database.db.selectFrom('outbox').select(['kind']).where('recipient', '=', recipient).execute())
      .map(({ kind }) => kind)
      .sort()
  const count = async (recipient: string, kind: string) =>
    (await mailsTo(recipient)).filter((sent) => sent === kind).length
  const verified = () => registerVerified(app)

  test('send no notices to an unverified address, only confirmations', async () => {
    const { email } = await register(app.api)
    for (let number = 0; number < 5; number++) await signIn(app.api, { email }, device(number))
    const { access_token: token } = await signIn(app.api, { email })
    const body = { current_password: PASSWORD, new_password: 'another walk, in the rain' }
    assert.equal((await app.api.post('/api/v1/auth/change-password', { token, body })).status, 200)
    const change = { new_email: `other.${engine}@example.org`, password: body.new_password }
    assert.equal((await app.api.post('/api/v1/auth/change-email', { token, body: change })).status, 200)
    const removed = await app.api.delete('/api/v1/auth/me', { token, body: { password: body.new_password } })
    assert.equal(removed.status, 200)
    assert.deepEqual(await mailsTo(email), ['verify_email'])
  })

  test('send a few notices an hour about new devices, and allow every sign-in', async () => {
    const { email } = await verified()
    await signIn(app.api, { email })
    for (let number = 0; number < 25; number++) await signIn(app.api, { email }, device(number))
    assert.equal(await count(email, 'new_sign_in'), 5)
    const skipped = app.logs.filter(({ msg, mail }) => mail === 'new_sign_in' && /not sent/.test(String(msg)))
    assert.ok(skipped.length >= 20, 'the log tells of each that was not sent')
    app.clock.advance(HOUR)
    await signIn(app.api, { email }, device(100))
    assert.equal(await count(email, 'new_sign_in'), 6)
  })

  test('hold for fifty emails of a kind at once', async () => {
    const { mailer, database } = app.services
    const person = await verified()
    const at = '2026-11-22T12:00:00.000Z'
    const send = () => database.transaction((trx) => mailer.send(trx, 'password_changed', person, { at }))
    const sent = await Promise.all(Array.from({ length: 50 }, send))
    assert.deepEqual([sent.filter(Boolean).length, await count(person.email, 'password_changed')], [5, 5])
  })

  test('do not count an email that is rolled back', async () => {
    const { mailer, database } = app.services
    const person = await verified()
    const send = (fails: boolean) =>
      database.transaction(async (trx) => {
        assert.equal(await mailer.send(trx, 'account_deleted', person, {}), true)
        if (fails) throw new Error('what it was about has failed')
      })
    for (let number = 0; number < 9; number++) await assert.rejects(send(true), /has failed/)
    assert.equal(await count(person.email, 'account_deleted'), 0)
    for (let number = 0; number < 5; number++) await send(false)
  })

  test('count an address once however it is written, and all notices to it together', async () => {
    const { mailer, database } = app.services
    const at = '2026-11-22T12:00:00.000Z'
    const [one, other] = [await verified(), await verified()]
    const send = (email: string, kind: 'password_changed' | 'session_ended_reuse', person = one) =>
      database.transaction((trx) => mailer.send(trx, kind, { ...person, email }, { at }))
    const tagged = one.email.replace('@', '+tag@')
    for (const email of [one.email, one.email.toUpperCase(), one.email, one.email.toUpperCase(), one.email])
      assert.equal(await send(email, 'password_changed'), true)
    assert.equal(await send(one.email, 'password_changed'), false)
    assert.equal(await send(tagged, 'password_changed'), true, 'another address of the same mailbox')
    let sent = 6
    for (let hour = 0; hour < 23; hour++) {
      app.clock.advance(HOUR)
      for (let number = 0; number < 5; number++) if (await send(one.email, 'session_ended_reuse')) sent++
    }
    assert.ok(sent <= 2 * 30, `${sent} in a day`) // a day of the clock may begin in between
    assert.equal(await send(other.email, 'session_ended_reuse', other), true)
  })

  test('stop repeated registrations for, and changes to, one mailbox within the hour', async () => {
    app.clock.advance(HOUR - (app.clock.now() % HOUR))
    const { mailer, database } = app.services
    const link = { link: 'https://accounts.example.org/x?token=y', validFor: 60 }
    let sent = 0
    for (let number = 0; number < 60; number++) {
      const email = `victim.${engine}+${number}@example.org`
      const person = { id: null, email, name: 'A', locale: 'en' as const, email_verified: false }
      const kind = number % 2 ? 'verify_email' : 'change_email_confirm'
      if (await database.transaction((trx) => mailer.send(trx, kind, person, link))) sent++
    }
    assert.equal(sent, 30)
  })

  test('create no new link when no email is sent, so that the previous link stays valid', async () => {
    const { email, id } = await register(app.api)
    const { database, credentials, users } = app.services
    const user = (await users.byId(id)) ?? assert.fail()
    const hashes = async () =>
      (await database.db.selectFrom('one_time_tokens').select('token_hash').where('user_id', '=', id).execute())[0]
    for (let number = 0; number < 15; number++)
      await database.transaction((trx) => credentials.sendVerification(trx, user))
    assert.equal(await count(email, 'verify_email'), 12)
    const last = await hashes()
    await database.transaction((trx) => credentials.sendVerification(trx, user))
    assert.deepEqual(await hashes(), last)
  })

  test('let resets by an administrator and the next one by the owner through', async () => {
    const person = await register(app.api)
    const admin = await createAdmin(app.services)
    app.clock.advance(15 * MINUTE)
    const { access_token: token } = await signIn(app.api, admin)
    const ask = (number: number) =>
      app.api.post('/api/v1/auth/reset-password', {
        body: { email: person.email },
        headers: { 'x-forwarded-for': `192.0.2.${number}` },
      })
    for (let number = 0; number < 10; number++) await ask(number)
    assert.equal(await count(person.email, 'reset_password'), 3)
    const byAdmin = () => app.api.post(`/api/v1/users/${person.id}/reset-password`, { token })
    assert.equal((await byAdmin()).status, 200)
    assert.equal(await count(person.email, 'reset_password'), 4)
    for (let window = 1; window <= 8; window++) {
      app.clock.advance(15 * MINUTE)
      for (let number = 0; number < 10; number++) await ask(number)
      assert.equal(await count(person.email, 'reset_password'), 4 + 3 * window)
    }
    app.clock.advance(DAY)
    assert.equal((await ask(1)).status, 200)
  })
})
