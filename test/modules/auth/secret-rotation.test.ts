import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { migrate } from '../../../src/app.ts'
import { loadConfig } from '../../../src/settings/config.ts'
import {
  createAdmin,
  describeOnEachEngine,
  PASSWORD,
  register,
  signIn,
  startApp,
  type TestApp,
} from '../../support/app.ts'
import { behindProxy, createFrozenClock, DEVICE, loginFrom, WRONG } from '../../support/login-attempts.ts'
import { createDatabase, dropDatabase } from '../../support/postgres.ts'
import { mailTo, startSmtp } from '../../support/smtp.ts'

const [OLD, NEW] = [randomBytes(32), randomBytes(32)].map((bytes) => bytes.toString('base64url')) as [string, string]

/** The `APP_SECRET` of two instances, before, during and after each step of the rotation that docs/operations.md tells. */
const STEPS: [string, string][] = [
  [OLD, OLD],
  [OLD, `${OLD},${NEW}`],
  [`${OLD},${NEW}`, `${OLD},${NEW}`],
  [`${OLD},${NEW}`, `${NEW},${OLD}`],
  [`${NEW},${OLD}`, `${NEW},${OLD}`],
  [`${NEW},${OLD}`, NEW],
  [NEW, NEW],
]

const smtp = await startSmtp()
after(() => smtp.stop())

describeOnEachEngine('A rotation of APP_SECRET', (engine) => {
  test('keeps everything valid: at each step two instances continue what either has started', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'bukhindor-rotation-'))
    const url =
      engine === 'sqlite'
        ? `sqlite:${join(folder, 'x.db')}`
        : await createDatabase(process.env.TEST_POSTGRES_URL as string)
    await migrate(loadConfig({ DATABASE_URL: url, APP_SECRET: OLD }))
    const clock = createFrozenClock()
    let running: TestApp[] = []
    t.after(async () => {
      for (const app of running) await app.close()
      if (engine === 'postgres') await dropDatabase(url)
      rmSync(folder, { recursive: true })
    })

    let admin = { email: '', password: PASSWORD }
    let refreshToken = ''
    let accessToken = ''
    let deviceToken = ''
    let cursor = ''
    let registrations = 100
    const kept: { key: string; body: unknown; answer: unknown }[] = []
    const waiting: string[] = []

    for (const [step, secrets] of STEPS.entries()) {
      const name = `step ${step}`
      running = []
      for (const APP_SECRET of secrets)
        running.push(
          await startApp(engine, behindProxy({ clock, env: { DATABASE_URL: url, APP_SECRET, ...smtp.env } })),
        )
      const [one, two] = running as [TestApp, TestApp]
      const both = [one, two]
      if (step === 0) {
        await register(one.api, { email: 'anna@example.org' })
        admin = await createAdmin(one.services)
        await Promise.all([register(one.api), register(one.api), register(one.api)])
        const signedIn = await signIn(one.api, { email: 'anna@example.org' }, DEVICE)
        refreshToken = signedIn.refresh_token
        deviceToken = signedIn.device_token
        registrations = 100
      }

      // A session goes on, from one instance to the other and back, with each of its tokens.
      for (const app of [one, two, one]) {
        if (accessToken) assert.equal((await app.api.me(accessToken)).status, 200, name)
        const refreshed = await app.api.refresh(refreshToken)
        assert.equal(refreshed.status, 200, `${name}: ${JSON.stringify(refreshed.body)}`)
        refreshToken = refreshed.body.user.refresh_token
        accessToken = refreshed.body.user.access_token
        for (const any of both) assert.equal((await any.api.me(accessToken)).status, 200, name)
      }
      const { body: jwks } = await two.api.get('/.well-known/jwks.json')
      const kid = JSON.parse(Buffer.from(accessToken.split('.')[0] as string, 'base64url').toString()).kid
      assert.ok(
        jwks.keys.some((key: { kid: string }) => key.kid === kid),
        `${name}: services offline find the key`,
      )

      // A list goes on where the other instance, and the step before, have left it.
      const { access_token: token } = await signIn(one.api, admin)
      if (cursor) for (const app of both) assert.equal((await list(app, token, cursor)).status, 200, name)
      cursor = (await list(one, token, '')).body.next_cursor
      assert.equal((await list(two, token, cursor)).status, 200, name)

      // An answer that is kept for a key comes back, from either, in this step and in the next.
      for (const { key, body, answer } of kept.splice(0))
        for (const app of both) assert.deepEqual(await change(app, accessToken, key, body), [true, answer], name)
      for (const app of both) {
        const [key, body] = [randomBytes(9).toString('hex'), { name: `Анна ${randomBytes(3).toString('hex')}` }]
        const [isReplayed, answer] = await change(app, accessToken, key, body)
        assert.equal(isReplayed, false)
        kept.push({ key, body, answer })
        for (const other of both) assert.deepEqual(await change(other, accessToken, key, body), [true, answer], name)
      }

      // All count the same things, and the device that has signed in stays known.
      for (const app of [one, two]) {
        const body = { email: 'anna@example.org', name: 'Anna', password: PASSWORD }
        const headers = { 'x-forwarded-for': '203.0.113.9' }
        const answer = await app.api.register(body, { headers })
        registrations--
        assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"registration";r=${registrations};`), name)
      }
      for (const [left, app] of [
        [4, one],
        [3, two],
        [2, one],
        [1, two],
        [0, one],
      ] as const) {
        const ip = `10.1.${step}.${left}`
        const answer = await loginFrom(app, ip, 'anna@example.org', WRONG)
        assert.match(answer.headers.get('ratelimit') ?? '', new RegExp(`^"login";r=${left}\\b`), name)
      }
      for (const app of both) {
        assert.equal((await loginFrom(app, '10.1.9.9', 'anna@example.org', PASSWORD)).status, 429, name)
        const known = { ...DEVICE, 'x-device-token': deviceToken }
        const answer = await loginFrom(app, '10.1.9.8', 'anna@example.org', PASSWORD, known)
        assert.equal(answer.status, 200, name)
        deviceToken = answer.body.user.device_token
      }
      await one.services.database.db.deleteFrom('throttles').where('key', 'like', 'login%').execute()

      // A mail that waits in the outbox is sent by those who come after.
      smtp.trouble = null
      for (const email of waiting.splice(0)) await smtp.waitFor(mailTo(email, /./))
      smtp.trouble = { at: 'rcpt', how: 'refuse' }
      for (const app of both) {
        const email = `waits-${step}-${both.indexOf(app)}@example.org`
        await register(app.api, { email })
        waiting.push(email)
      }
      for (const app of running) await app.close()
      running = []
      smtp.trouble = null
      clock.advance(60_000)
    }
  })
})

const list = (app: TestApp, token: string, cursor: string) =>
  app.api.get(`/api/v1/users?limit=2${cursor && `&cursor=${cursor}`}`, { token })

async function change(app: TestApp, token: string, key: string, body: unknown): Promise<[boolean, unknown]> {
  const answer = await app.api.patch('/api/v1/auth/me', { token, body, headers: { 'idempotency-key': key } })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return [answer.headers.get('idempotency-replayed') === 'true', answer.body]
}
