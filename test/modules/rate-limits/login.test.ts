import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { DAY, HOUR, MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, register, signIn, startApp, type TestApp, useApp } from '../../support/app.ts'
import {
  address,
  behindProxy,
  beside,
  DEVICE,
  keepDeviceToken,
  loginFrom,
  ownerLogin,
  WRONG,
} from '../../support/login-attempts.ts'
import { mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const HEADERS = ['ratelimit-policy', 'ratelimit', 'retry-after']
const limitsOf = ({ headers }: { headers: Headers }) => HEADERS.map((name) => headers.get(name))

/** Somebody who has signed in on their device. */
async function owner(app: TestApp) {
  const person = await register(app.api)
  assert.equal((await ownerLogin(app, person.email)).status, 200)
  return person
}

describeOnEachEngine('Failed logins', (engine) => {
  const app = useApp(engine, behindProxy({ env: smtp.env }))
  const counts = () => app.services.database.db.selectFrom('throttles').selectAll().orderBy('key').execute()
  const clearCounts = () => app.services.database.db.deleteFrom('throttles').execute()

  test('cause growing delays after five failures, up to 15 minutes, shown in the answers', async () => {
    const { email } = await register(app.api)
    for (const left of [4, 3, 2, 1]) {
      const answer = await loginFrom(app, address(left), email)
      assert.equal(answer.status, 401)
      assert.deepEqual(limitsOf(answer), [
        '"login";q=5, "login-address";q=50',
        `"login";r=${left}, "login-address";r=49`,
        null,
      ])
    }
    for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]) {
      const failed = await loginFrom(app, address(seconds), email)
      assert.equal(failed.status, 401, `before ${seconds} s`)
      assert.match(failed.headers.get('ratelimit') ?? '', new RegExp(`^"login";r=0;t=${seconds}, `))
      app.clock.advance((seconds - 1) * SECOND)
      const refused = await loginFrom(app, address(seconds + 1), email, PASSWORD)
      assert.equal(refused.body.reason, 'rate_limited')
      assert.equal(refused.headers.get('retry-after'), '1')
      app.clock.advance(SECOND)
    }
    assert.equal((await loginFrom(app, address(9), email, PASSWORD)).status, 200)
    assert.equal((await loginFrom(app, address(10), email)).headers.get('ratelimit')?.slice(0, 11), '"login";r=4')
  })

  test('allow a hundred attempts in all from unknown devices, while a known device can sign in', async () => {
    const { email } = await owner(app)
    let tries = 0
    let refused = 0
    // Each failure is followed by a delay, so two requests are one attempt: the last two hundred are beyond the hundred.
    for (let number = 0; number < 400; number++) {
      const { status, headers } = await loginFrom(app, address(number), email)
      if (status === 401) tries++
      else {
        assert.equal(status, 429)
        refused++
        app.clock.advance(Number(headers.get('retry-after')) * SECOND)
      }
      if (number % 100 === 0) assert.equal((await ownerLogin(app, email)).status, 200, `after ${number} strangers`)
    }
    assert.equal(tries, 100)
    assert.equal(refused, 300)
    app.clock.advance(30 * DAY)
    const stranger = await loginFrom(app, address(7), email, PASSWORD)
    assert.equal(stranger.status, 429, 'not even the right password helps a stranger now')
    assert.match(stranger.body.detail, /[Rr]eset the password/)
    assert.equal((await ownerLogin(app, email, PASSWORD, '198.51.100.9')).status, 200, 'wherever the device is')
  })

  test('are reset by a new password', async () => {
    const { email } = await owner(app)
    for (let number = 0; number < 6; number++) await loginFrom(app, address(number), email)
    for (let number = 0; number < 6; number++) await ownerLogin(app, email, WRONG)
    assert.equal((await loginFrom(app, address(8), email, PASSWORD)).status, 429)
    assert.equal((await ownerLogin(app, email)).status, 429)
    await app.services.operator.setPassword(email, 'what the administrator has set')
    assert.equal((await loginFrom(app, address(8), email, 'what the administrator has set')).status, 200)
    assert.equal((await ownerLogin(app, email, 'what the administrator has set')).status, 200)
  })

  test('do not delay a device that used a reset link', async () => {
    const { email } = await register(app.api)
    for (let number = 0; number < 6; number++) await loginFrom(app, address(number), email)
    assert.equal((await app.api.post('/api/v1/auth/reset-password', { body: { email } })).status, 200)
    const mail = await smtp.waitFor(mailTo(email, /reset your password/))
    const body = { token: tokenIn(mail), new_password: 'a different walk' }
    const headers = { 'x-forwarded-for': '203.0.113.5', ...DEVICE }
    const confirmed = await app.api.post('/api/v1/auth/reset-password/confirm', { body, headers })
    assert.equal(confirmed.status, 200)
    keepDeviceToken(email, confirmed.body.device_token)
    for (let number = 0; number < 6; number++) await loginFrom(app, address(number), email)
    assert.equal((await loginFrom(app, address(8), email, 'a different walk')).status, 429)
    assert.equal((await ownerLogin(app, email, 'a different walk')).status, 200)
  })

  test('are counted separately for each known device', async () => {
    const { email } = await owner(app)
    const { body } = await loginFrom(app, '192.0.2.1', email, PASSWORD)
    const another = { 'x-device-token': body.user.device_token }
    for (let number = 0; number < 5; number++) assert.equal((await ownerLogin(app, email, WRONG)).status, 401)
    assert.equal((await ownerLogin(app, email)).status, 429)
    assert.equal((await loginFrom(app, '192.0.2.1', email, PASSWORD, another)).status, 200)
    assert.equal((await loginFrom(app, address(1), email)).headers.get('ratelimit')?.slice(0, 11), '"login";r=4')
    app.clock.advance(SECOND)
    assert.equal((await ownerLogin(app, email)).status, 200)
  })

  test('are answered alike for known and unknown emails', async () => {
    const { email } = await owner(app)
    const seen = async (email: string) => {
      const answer = await loginFrom(app, '203.0.113.80', email)
      const { request_id: _, ...body } = answer.body
      return { status: answer.status, body, limits: limitsOf(answer).map((text) => text?.replace(/,.*/, '')) }
    }
    for (let number = 0; number < 12; number++) {
      assert.deepEqual(await seen('nobody@example.org'), await seen(email), `try ${number}`)
      app.clock.advance(number * SECOND)
    }
  })

  test('are counted together for all spellings of an email', async () => {
    const { email } = await register(app.api)
    for (let number = 0; number < 5; number++)
      await loginFrom(app, address(number), number % 2 ? email.toUpperCase() : email)
    assert.equal((await loginFrom(app, address(9), email)).status, 429)
  })

  test('delay an address after fifty accounts, except known devices', async () => {
    const { email } = await owner(app)
    const bystander = await register(app.api)
    const ip = '2001:db8:1:2::1'
    for (let number = 0; number < 50; number++)
      assert.equal((await loginFrom(app, ip, `sprayed-${number}@example.org`)).status, 401)
    const neighbour = '2001:db8:1:2:ffff::9'
    const refused = await loginFrom(app, neighbour, bystander.email, PASSWORD)
    assert.equal(refused.status, 429)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal((await ownerLogin(app, email, PASSWORD, neighbour)).status, 200)
    assert.equal((await loginFrom(app, '2001:db8:1:3::1', bystander.email, PASSWORD)).status, 200, 'another network')
    app.clock.advance(SECOND)
    assert.equal((await loginFrom(app, ip, 'sprayed-50@example.org')).status, 401)
    assert.equal((await loginFrom(app, ip, 'sprayed-51@example.org')).headers.get('retry-after'), '2')
    app.clock.advance(2 * SECOND)
    // Who knows the password costs the address nothing, and has cleared nothing.
    for (const name of ['one', 'two']) {
      const { email } = await register(app.api)
      assert.equal((await loginFrom(app, ip, email, PASSWORD)).status, 200, name)
    }
    assert.equal((await loginFrom(app, ip, 'sprayed-52@example.org')).status, 401)
    assert.equal((await loginFrom(app, ip, 'sprayed-53@example.org')).headers.get('retry-after'), '4')
    app.clock.advance(HOUR)
    assert.match(
      (await loginFrom(app, ip, 'sprayed-54@example.org')).headers.get('ratelimit') ?? '',
      /address";r=49, "login-site";r=9\d\d$/,
    )
  })

  test('cause no writes when refused, and a success without failures causes none', async () => {
    const { email } = await owner(app)
    await clearCounts()
    assert.equal((await ownerLogin(app, email)).status, 200)
    assert.deepEqual(await counts(), [])
    for (let number = 0; number < 5; number++) await loginFrom(app, '203.0.113.7', email)
    const before = await counts()
    const events = () => app.services.database.db.selectFrom('audit_events').select('id').execute()
    const known = await events()
    for (let number = 0; number < 20; number++) assert.equal((await loginFrom(app, '203.0.113.7', email)).status, 429)
    assert.deepEqual(await counts(), before)
    assert.deepEqual(await events(), known)
  })

  test('are stored without readable emails, addresses or devices', async () => {
    const { email } = await owner(app)
    await loginFrom(app, '203.0.113.99', email)
    await ownerLogin(app, email, WRONG)
    const { db } = app.services.database
    const text = JSON.stringify([await counts(), await db.selectFrom('known_devices').selectAll().execute()])
    for (const secret of [email, '203.0.113', DEVICE['x-device-id'], 'the app']) assert.ok(!text.includes(secret))
  })

  test('are deleted after they expire, as forgotten devices are', async () => {
    const { email } = await owner(app)
    await clearCounts()
    await loginFrom(app, '203.0.113.8', email)
    assert.equal((await counts()).length, 2)
    app.clock.advance(HOUR + MINUTE)
    assert.equal(await app.services.declared.retention.throttles?.(10), 1)
    assert.equal((await counts()).length, 1, 'the account remembers')
    assert.equal(await app.services.declared.retention.known_devices?.(1000), 0)
    app.clock.advance(401 * DAY)
    assert.equal(await app.services.declared.retention.throttles?.(10), 1)
    assert.ok(Number(await app.services.declared.retention.known_devices?.(1000)) > 0)
  })
})

describeOnEachEngine('Parallel logins on two instances', (engine) => {
  test('allow a hundred attempts in all, however many addresses they come from', async (t) => {
    const one = await startApp(engine, behindProxy())
    t.after(() => one.close())
    const two = await startApp(engine, beside(one))
    t.after(() => two.close())
    const { email } = await owner(one)

    const burst = async (size: number, round: number) => {
      const tries = Array.from({ length: size }, (_, number) =>
        loginFrom(number % 2 ? one : two, address(1000 * round + number), email),
      )
      const statuses = (await Promise.all(tries)).map(({ status }) => status)
      assert.ok(
        statuses.every((status) => status === 401 || status === 429),
        String(statuses),
      )
      return statuses.filter((status) => status === 401).length
    }

    let tries = await burst(300, 0)
    assert.ok(tries >= 5 && tries <= 14, `${tries} of 300`)
    for (let round = 1; tries < 100; round++) {
      one.clock.advance(15 * MINUTE)
      const more = await burst(4, round)
      assert.equal(more, 1, `after ${tries} tries`)
      tries += more
      if (round % 20 === 0) assert.equal((await ownerLogin(two, email)).status, 200)
    }
    one.clock.advance(DAY)
    assert.equal(await burst(20, 999), 0)
    assert.equal((await ownerLogin(one, email)).status, 200)
    assert.equal((await ownerLogin(two, email)).status, 200)
  })

  test('let one through at the end of a delay', async (t) => {
    const one = await startApp(engine, behindProxy())
    t.after(() => one.close())
    const two = await startApp(engine, beside(one))
    t.after(() => two.close())
    const { email } = await owner(one)
    for (let number = 0; number < 5; number++) await loginFrom(one, address(number), email)
    const login = { emailKey: email, userId: null, devices: [], origin: { network: address(99), site: null } }
    for (const seconds of [1, 2, 4]) {
      one.clock.advance(seconds * SECOND)
      let checked = 0
      const tries = Array.from({ length: 40 }, async (_, number) => {
        const attempt = await (number % 2 ? one : two).services.rateLimits.beginLogin(login)
        checked++
        await attempt.fail()
      })
      const outcomes = await Promise.allSettled(tries)
      assert.equal(checked, 1)
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    }
  })

  test('count a device forgotten meanwhile as unknown, and release abandoned attempts', async (t) => {
    const app = await startApp(engine, behindProxy())
    t.after(() => app.close())
    const { email } = await owner(app)
    const { db } = app.services.database
    const { device, user_id } = await db.selectFrom('known_devices').selectAll().executeTakeFirstOrThrow()
    const caller = { emailKey: email, userId: user_id, devices: [device], origin: { network: null, site: null } }
    const begin = () => app.services.rateLimits.beginLogin(caller)
    const running = await Promise.all(Array.from({ length: 5 }, begin))
    assert.deepEqual([...new Set(running.map((attempt) => attempt.device))], [device])
    const waiting = begin()
    await db.deleteFrom('known_devices').execute()
    await assert.rejects((running[0] as (typeof running)[0]).abandon(new Error('no thread')), /no thread/)
    const late = await waiting
    assert.equal(late.device, null)
    await Promise.all([late, ...running.slice(1)].map((attempt) => attempt.fail()))
    const logins = db.selectFrom('throttles').where('key', 'like', 'login:%')
    const counts = await logins.select(['key', 'count']).execute()
    assert.deepEqual(counts.map(({ key, count }) => [key.includes(device), count]).sort(), [
      [false, 1],
      [true, 4],
    ])
  })

  test('share their counts with an instance that starts later', async (t) => {
    const one = await startApp(engine, behindProxy())
    t.after(() => one.close())
    const { email } = await owner(one)
    for (let number = 0; number < 5; number++) await loginFrom(one, address(number), email)
    const two = await startApp(engine, beside(one))
    t.after(() => two.close())
    assert.equal((await loginFrom(two, address(9), email, PASSWORD)).status, 429)
    assert.equal((await ownerLogin(two, email)).status, 200)
  })

  test('let all users with the right password in', async (t) => {
    const app = await startApp(engine, behindProxy())
    t.after(() => app.close())
    const { email } = await register(app.api)
    await Promise.all(Array.from({ length: 30 }, () => signIn(app.api, { email }, { 'user-agent': 'many' })))
  })

  test('do not hash refused attempts, and do not count attempts that could not be hashed', async (t) => {
    const app = await startApp(engine, behindProxy())
    t.after(() => app.close())
    const [attacked, other] = [await owner(app), await owner(app)]
    for (let number = 0; number < 5; number++) await loginFrom(app, address(number), attacked.email)
    await app.services.passwords.close()
    for (let number = 0; number < 9; number++)
      assert.equal((await loginFrom(app, address(number), other.email)).status, 503)
    assert.equal((await loginFrom(app, address(9), attacked.email)).status, 429, 'refused before any hashing')
    app.clock.advance(SECOND)
    for (let number = 0; number < 3; number++)
      assert.equal((await loginFrom(app, address(number), attacked.email)).status, 503, 'the claim was given back')
    const rows = await app.services.database.db
      .selectFrom('throttles')
      .select('count')
      .where('key', 'like', 'login:%')
      .execute()
    assert.deepEqual(rows, [{ count: 5 }])
  })
})
