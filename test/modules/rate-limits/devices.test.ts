import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { DAY, HOUR, MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, register, useApp } from '../../support/app.ts'
import type { Response } from '../../support/client.ts'
import { address, behindProxy, loginFrom, WRONG } from '../../support/login-attempts.ts'
import { mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const HOME = '192.0.2.77'
const BROWSER = { 'user-agent': 'Mozilla/5.0 (Windows NT 10.0) Firefox/145.0', 'x-app-type': 'web' }
/** What everybody can write who has seen it once. */
const CLAIM = { ...BROWSER, 'x-device-id': '4f6f1d7e-93c1-4b0e-9d7f-6a5a3a9d2f10' }

describeOnEachEngine('A known device', (engine) => {
  const app = useApp(engine, behindProxy({ env: smtp.env }))
  const devicesOf = (userId: string) =>
    app.services.database.db.selectFrom('known_devices').selectAll().where('user_id', '=', userId).execute()

  /** Somebody who has signed in at home, and what the device got. */
  async function owner() {
    const person = await register(app.api)
    const verified = { email_verified: true }
    await app.services.database.db.updateTable('users').set(verified).where('id', '=', person.id).execute()
    const answer = await loginFrom(app, HOME, person.email, PASSWORD, CLAIM)
    assert.equal(answer.status, 200)
    return { ...person, device: answer.body.user }
  }
  const proof = ({ device_token }: { device_token: string }) => ({ 'x-device-token': device_token })
  const forged = (bytes: Uint8Array) => proof({ device_token: Buffer.from(bytes).toString('base64url') })
  const stale = ({ access_token }: { access_token: string }) => ({ authorization: `Bearer ${access_token}` })

  /** Uses up whatever a claim is counted for, until a wrong password is not even looked at. Returns how many were. */
  async function exhaust(email: string, from: (number: number) => string, headers: (number: number) => Told) {
    let tried = 0
    for (let number = 0; number < 150; number++) {
      const { status } = await loginFrom(app, from(number), email, WRONG, headers(number))
      if (status === 401) tried++
    }
    return tried
  }
  type Told = Record<string, string>

  test('can sign in after others behind the same NAT used up all attempts', async () => {
    const { email, device } = await owner()
    await exhaust(
      email,
      () => HOME,
      () => CLAIM,
    )
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, CLAIM)).status, 429, 'to claim it is not enough')
    for (const evidence of [proof(device), stale(device)])
      assert.equal((await loginFrom(app, HOME, email, PASSWORD, { ...CLAIM, ...evidence })).status, 200)
  })

  test('is not proven by X-Device-ID, which gains no attempts and costs the owner none', async () => {
    const { email, device } = await owner()
    // The id by which the service knows the device is no secret: it is that of the session, which lists show.
    const learnt = [CLAIM, { 'x-device-id': device.session_id }, { 'x-device-id': randomUUID() }]
    const tried = await exhaust(email, address, (number) => learnt[number % 3] as Told)
    assert.equal(tried, 5, 'all of them share one limit')
    for (const headers of [...learnt, {}])
      assert.equal((await loginFrom(app, address(7), email, WRONG, headers)).status, 429)
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, proof(device))).status, 200)
  })

  test('that is proven suppresses the sign-in notice; a claimed one does not', async () => {
    const { email, device } = await owner()
    const told = async () => {
      const mails = app.services.database.db.selectFrom('outbox').select('id').where('recipient', '=', email)
      return (await mails.where('kind', '=', 'new_sign_in').execute()).length
    }
    for (const evidence of [proof(device), stale(device)])
      assert.equal((await loginFrom(app, address(1), email, PASSWORD, evidence)).status, 200)
    assert.equal(await told(), 0)
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, CLAIM)).status, 200)
    assert.equal(await told(), 1)
  })

  test('gets byte for byte the same answers for false claims, known and unknown emails', async () => {
    const { email, device } = await owner()
    const other = await owner()
    const claims: Told[] = [
      {},
      CLAIM,
      proof(other.device),
      stale(other.device),
      { 'x-device-token': 'x'.repeat(86) },
      { 'x-device-token': device.device_token.slice(0, -1) },
      { authorization: `Bearer ${device.access_token.slice(0, -2)}` },
      { cookie: `__Secure-bukhindor_device=${other.device.device_token}`, 'sec-fetch-site': 'same-origin' },
    ]
    for (const [index, headers] of claims.entries()) {
      await app.services.database.db.deleteFrom('throttles').execute()
      for (let number = 0; number < 8; number++) {
        // An address each: the count of one would tell which of the two came second.
        const seen = await Promise.all(
          [email, 'nobody@example.org'].map(async (email, person) =>
            comparable(await loginFrom(app, `203.${2 + person}.${index}.${number}`, email, WRONG, headers)),
          ),
        )
        assert.deepEqual(seen[0], seen[1], `claim ${index}, try ${number}`)
        const plain = comparable(await loginFrom(app, `203.1.${index}.${number}`, `nobody-${index}@example.org`, WRONG))
        assert.deepEqual(seen[1], plain, `claim ${index}, try ${number}: as without it`)
      }
    }
  })

  test('is one of at most twenty, and none after a reset, so that an attacker has a hundred attempts', async () => {
    const person = await register(app.api)
    const planted: Told[] = []
    for (let number = 0; number < 60; number++) {
      const { status, body } = await loginFrom(app, address(number), person.email, PASSWORD, {
        'x-device-id': randomUUID(),
      })
      assert.equal(status, 200)
      planted.push(number % 2 ? proof(body.user) : stale(body.user))
    }
    assert.equal((await devicesOf(person.id)).length, 20)
    await app.api.post('/api/v1/auth/reset-password', { body: { email: person.email } })
    const token = tokenIn(await smtp.waitFor(mailTo(person.email, /reset your password/)))
    const confirmed = await app.api.post('/api/v1/auth/reset-password/confirm', {
      body: { token, new_password: 'another walk, along the sea' },
    })
    assert.equal(confirmed.status, 200)
    let wrong = 0
    for (let number = 0; number < 400 && wrong <= 100; number++) {
      const { status, headers } = await loginFrom(app, address(number), person.email, WRONG, planted[number % 60])
      if (status === 401) wrong++
      else app.clock.advance(Math.min(Number(headers.get('retry-after')), 900) * SECOND)
    }
    assert.equal(wrong, 100)
    const answer = await loginFrom(app, HOME, person.email, 'another walk, along the sea', proof(confirmed.body))
    assert.equal(answer.status, 200, 'the device with the link is known')
  })

  test('that was stolen gives a hundred attempts, which delay no other device', async () => {
    const { email, device } = await owner()
    const phone = (await loginFrom(app, address(1), email, PASSWORD)).body.user
    let wrong = 0
    for (let number = 0; number < 400 && wrong <= 100; number++) {
      const { status } = await loginFrom(app, address(number), email, WRONG, number % 2 ? proof(device) : stale(device))
      if (status === 401) wrong++
      else app.clock.advance(15 * MINUTE)
    }
    assert.equal(wrong, 100)
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, proof(device))).status, 429)
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, proof(phone))).status, 200)
    assert.equal((await loginFrom(app, address(5000), email, PASSWORD)).status, 200)
  })

  test('belongs to one user: a token of another or deleted account proves nothing', async () => {
    const [one, other] = [await owner(), await owner()]
    await exhaust(one.email, address, () => ({}))
    for (const evidence of [proof(other.device), stale(other.device)])
      assert.equal((await loginFrom(app, HOME, one.email, PASSWORD, evidence)).status, 429)
    assert.equal((await loginFrom(app, HOME, one.email, PASSWORD, proof(one.device))).status, 200)
  })

  test('is proven by any access token of the user, even an expired one, and by no forged one', async () => {
    const { email, device } = await owner()
    app.clock.advance(90 * DAY)
    const again = (await loginFrom(app, HOME, email, PASSWORD, stale(device))).body.user
    assert.equal(again.device_token, device.device_token, 'it is the same device')
    await exhaust(email, address, () => ({}))
    app.clock.advance(90 * DAY)
    for (const token of [again.access_token, device.access_token])
      assert.equal((await loginFrom(app, HOME, email, PASSWORD, { authorization: `Bearer ${token}` })).status, 200)
    await exhaust(email, address, () => ({}))
    const [head, payload = '', signature] = device.access_token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const forged of [
      `${head}.${encode({ ...claims, exp: 2e9 })}.${signature}`,
      `${encode({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
      `${head}.${payload}.${'A'.repeat(86)}`,
      'x',
      '',
    ])
      assert.equal(
        (await loginFrom(app, address(1), email, PASSWORD, { authorization: `Bearer ${forged}` })).status,
        429,
        forged,
      )
  })

  test('is forgotten after a new password, except the one that changed it', async () => {
    const { email, device, id } = await owner()
    const phone = (await loginFrom(app, address(1), email, PASSWORD)).body.user
    const body = { current_password: PASSWORD, new_password: 'a walk along the sea' }
    assert.equal((await app.api.post('/api/v1/auth/change-password', { body, token: phone.access_token })).status, 200)
    assert.equal((await devicesOf(id)).length, 1)
    await exhaust(email, address, () => ({}))
    for (const evidence of [proof(device), stale(device)])
      assert.equal((await loginFrom(app, HOME, email, 'a walk along the sea', evidence)).status, 429)
    assert.equal((await loginFrom(app, HOME, email, 'a walk along the sea', proof(phone))).status, 200)
    await app.services.operator.setPassword(email, 'what the operator has set')
    assert.deepEqual(await devicesOf(id), [])
  })

  test('that is used every day stays known', async () => {
    const { email, device } = await owner()
    let { refresh_token } = device
    for (let number = 0; number < 25; number++) {
      app.clock.advance(DAY)
      refresh_token = (await app.api.refresh(refresh_token)).body.user.refresh_token
      assert.equal((await loginFrom(app, address(number), email, PASSWORD)).status, 200)
    }
    await exhaust(email, address, () => ({}))
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, proof(device))).status, 200)
  })

  test('is created at registration', async () => {
    const email = `${randomUUID()}@example.org`
    const body = { email, password: PASSWORD, name: 'Anna' }
    const answer = await app.api.register(body, { headers: { 'x-forwarded-for': HOME } })
    await exhaust(email, address, () => ({}))
    assert.equal((await loginFrom(app, HOME, email, PASSWORD)).status, 429)
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, proof(answer.body))).status, 200)
  })

  test('gets its token with each refresh, and it cannot be made from stored data', async () => {
    const { email, device, id } = await owner()
    const { body } = await app.api.refresh(device.refresh_token)
    assert.equal(body.user.device_token, device.device_token)
    assert.equal((await app.api.me(body.user.access_token)).status, 200)
    assert.match(device.device_token, /^[\w-]{86}$/)
    const rows = JSON.stringify(await devicesOf(id))
    assert.ok(!rows.includes(device.device_token.slice(-43)))
    await exhaust(email, address, () => ({}))
    const ids = Buffer.from((id + device.session_id).replaceAll('-', ''), 'hex')
    const signed = Buffer.from(device.device_token, 'base64url')
    assert.deepEqual(signed.subarray(0, 32), ids, 'what the test forges is of the form of ours')
    for (const mac of [Buffer.alloc(32), createHash('sha256').update(ids).digest(), signed.subarray(32).toReversed()])
      assert.equal((await loginFrom(app, HOME, email, PASSWORD, forged(Buffer.concat([ids, mac])))).status, 429)
    assert.equal((await loginFrom(app, HOME, email, PASSWORD, forged(signed))).status, 200)
  })

  test('or an unknown one never waits longer than the delay after a clock was set back', async () => {
    const { email } = await owner()
    for (let number = 0; number < 5; number++) assert.equal((await loginFrom(app, address(number), email)).status, 401)
    app.clock.advance(SECOND)
    assert.equal((await loginFrom(app, address(5), email)).status, 401)
    app.clock.advance(-HOUR)
    assert.equal((await loginFrom(app, address(6), email, PASSWORD)).status, 200, 'an hour is longer than two seconds')
    for (let number = 0; number < 5; number++) assert.equal((await loginFrom(app, address(number), email)).status, 401)
    app.clock.advance(-SECOND / 2)
    const soon = await loginFrom(app, address(6), email, PASSWORD)
    assert.deepEqual([soon.status, soon.headers.get('retry-after')], [429, '1'])
    assert.match(soon.headers.get('ratelimit') ?? '', /^"login";r=0;t=1,/)
  })
})

/** An answer without what differs between any two: the id of the request and the time. */
function comparable({ status, headers, body }: Response) {
  const { request_id: _, ...rest } = body
  const names = [...headers].filter(([name]) => !['x-request-id', 'date'].includes(name))
  return { status, body: rest, headers: names }
}
