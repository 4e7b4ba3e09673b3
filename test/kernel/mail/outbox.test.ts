import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, test } from 'node:test'
import type { Engine } from '../../../src/kernel/db/database.ts'
import { openDatabase } from '../../../src/kernel/db/open.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, register, startApp, type TestApp, useApp } from '../../support/app.ts'
import { createDatabase, dropDatabase } from '../../support/postgres.ts'
import { createClient } from '../../support/process-client.ts'
import { startServer } from '../../support/processes.ts'
import { mailTo, PHASES, startSmtp, type Trouble, tokenIn } from '../../support/smtp.ts'
import { until } from '../../support/until.ts'

const smtp = await startSmtp()
after(() => smtp.stop())
afterEach(() => {
  smtp.trouble = null
})

const secret = () => randomBytes(32).toString('base64url')

/** A database that outlives an app. */
async function ownDatabase(engine: Engine): Promise<{ url: string; remove: () => Promise<void> }> {
  if (engine === 'postgres') {
    const url = await createDatabase(process.env.TEST_POSTGRES_URL as string)
    return { url, remove: () => dropDatabase(url) }
  }
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-outbox-'))
  return { url: `sqlite:${join(folder, 'test.db')}`, remove: async () => rmSync(folder, { recursive: true }) }
}

/** The log line that says how the try with this number ended. */
const tryOf = (app: TestApp, tries: number, from = 0): Promise<Record<string, unknown>> =>
  until(() => {
    const line = app.logs.slice(from).find((line) => line.mail_id !== undefined && line.tries === tries)
    if (!line) app.services.outbox.wake()
    return line
  })

const rowsOf = (app: TestApp) => app.services.database.db.selectFrom('outbox').selectAll().orderBy('id').execute()

describeOnEachEngine('The outbox', (engine) => {
  const app = useApp(engine, { env: smtp.env })

  test('retries with growing delays while the mail server is down, and delivers once it is back', async () => {
    await smtp.stop()
    const { email } = await register(app.api)
    const delays = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, HOUR]
    for (const [number, delay] of delays.entries()) {
      const line = await tryOf(app, number + 1)
      assert.equal(line.msg, 'e-mail not sent: will retry')
      const wait = Date.parse(line.next_try_at as string) - app.clock.now()
      assert.ok(wait <= delay && wait > delay - 5 * SECOND, `${wait} instead of ${delay}`)
      app.clock.advance(delay)
    }
    await smtp.start()
    app.services.outbox.wake()
    const mail = await smtp.waitFor(mailTo(email))
    assert.ok(mail.messageId?.includes((await rowsOf(app)).at(-1)?.id as string))
  })

  const troubles: Trouble[] = PHASES.flatMap((at) => (['refuse', 'drop'] as const).map((how) => ({ at, how })))
  test('loses nothing when the server refuses or drops a delivery at any step', async () => {
    for (const trouble of troubles) {
      smtp.trouble = trouble
      const from = app.logs.length
      const { email } = await register(app.api)
      const what = `${trouble.how} at ${trouble.at}`
      assert.equal((await tryOf(app, 1, from)).msg, 'e-mail not sent: will retry', what)
      smtp.trouble = null
      app.clock.advance(5 * SECOND)
      app.services.outbox.wake()
      await smtp.waitFor(mailTo(email))
      assert.equal((await tryOf(app, 2, from)).msg, 'e-mail sent', what)
      assert.equal(smtp.mails.filter(mailTo(email)).length, 1, what)
    }
  })

  test('sends an email again with the same Message-ID when the acceptance was lost', async () => {
    smtp.trouble = { at: 'data', how: 'forget' }
    const from = app.logs.length
    const { email } = await register(app.api)
    await tryOf(app, 1, from)
    smtp.trouble = null
    app.clock.advance(5 * SECOND)
    await tryOf(app, 2, from)
    const ids = smtp.mails.filter(mailTo(email)).map(({ messageId }) => messageId)
    assert.equal(ids.length, 2)
    assert.equal(ids[0], ids[1])
  })

  test('stores pending emails unreadably and forgets sent ones', async () => {
    smtp.trouble = { at: 'connect', how: 'refuse' }
    const from = app.logs.length
    const { email, id } = await register(app.api, { name: 'Unreadable Name' })
    await tryOf(app, 1, from)
    const row = () => rowsOf(app).then((rows) => rows.find(({ user_id }) => user_id === id))
    const waiting = await row()
    const stored = Buffer.from(waiting?.payload ?? '', 'base64url').toString('latin1')
    assert.doesNotMatch(stored, /Unreadable|token|verify/)
    smtp.trouble = null
    app.clock.advance(5 * SECOND)
    await tryOf(app, 2, from)
    const token = tokenIn(await smtp.waitFor(mailTo(email)))
    assert.ok(!JSON.stringify([waiting, await row()]).includes(token))
    assert.equal((await row())?.payload, null)
    const { db } = app.services.database
    assert.ok(!JSON.stringify(await db.selectFrom('one_time_tokens').selectAll().execute()).includes(token))
  })

  test('gives up after three days, forgets the text, and sends the others', async () => {
    smtp.trouble = { at: 'rcpt', how: 'refuse' }
    const from = app.logs.length
    await register(app.api)
    await tryOf(app, 1, from)
    app.clock.advance(3 * DAY + MINUTE)
    const line = await tryOf(app, 2, from)
    assert.equal(line.msg, 'e-mail not sent: giving up')
    const row = (await rowsOf(app)).find(({ id }) => id === line.mail_id)
    assert.deepEqual([row?.payload, row?.sent_at], [null, null])
    smtp.trouble = null
    const { email } = await register(app.api)
    await smtp.waitFor(mailTo(email))
  })
})

describeOnEachEngine('Two instances with one outbox', (engine) => {
  test('send each email once', async () => {
    const { url, remove } = await ownDatabase(engine)
    const env = { ...smtp.env, DATABASE_URL: url }
    const one = await startApp(engine, { env })
    const other = await startApp(engine, { env, clock: one.clock })
    const before = smtp.mails.length
    const { database, outbox } = one.services
    const data = { name: 'A', at: '2026-11-22T12:00:00.000Z' }
    const put = (number: number) => ({
      kind: 'password_changed',
      locale: 'en' as const,
      to: `many-${number}.${engine}@example.org`,
      userId: null,
      data,
    })
    await database.transaction(async (trx) => {
      for (let number = 0; number < 100; number++) await outbox.put(trx, put(number))
    })
    for (const app of [one, other]) app.services.outbox.wake()
    await smtp.until(() => smtp.mails.length >= before + 100)
    await Promise.all([one.close(), other.close()])
    const ids = smtp.mails.slice(before).map(({ messageId }) => messageId)
    assert.deepEqual([ids.length, new Set(ids).size], [100, 100])
    const sent = (app: TestApp) => app.logs.filter(({ msg }) => msg === 'e-mail sent').length
    assert.ok(sent(one) > 0 && sent(other) > 0, 'both have worked')
    await remove()
  })
})

describeOnEachEngine('A pending email at a restart', (engine) => {
  test('is not delayed by a hanging server, nor is the restart', async () => {
    const { url, remove } = await ownDatabase(engine)
    const env = { ...smtp.env, DATABASE_URL: url }
    smtp.trouble = { at: 'data', how: 'hang' }
    const first = await startApp(engine, { env })
    const reached = smtp.reached.data
    const { email } = await register(first.api)
    await smtp.until(() => smtp.reached.data > reached)
    await first.close()
    assert.match(JSON.stringify(first.logs), /the service is stopping/)
    smtp.trouble = null
    const second = await startApp(engine, { env })
    second.clock.advance(5 * SECOND)
    second.services.outbox.wake()
    await smtp.waitFor(mailTo(email))
    await second.close()
    await remove()
  })

  test('can be read after a rotation of APP_SECRET while the old secret is in the list', async () => {
    const { url, remove } = await ownDatabase(engine)
    const [old, fresh] = [secret(), secret()]
    smtp.trouble = { at: 'connect', how: 'refuse' }
    const run = (APP_SECRET: string) => startApp(engine, { env: { ...smtp.env, DATABASE_URL: url, APP_SECRET } })
    const first = await run(old)
    const { email } = await register(first.api)
    await tryOf(first, 1)
    await first.close()

    smtp.trouble = null
    const second = await run(fresh)
    second.clock.advance(5 * SECOND)
    const line = await tryOf(second, 2)
    assert.match(JSON.stringify(line), /no longer in APP_SECRET/)
    await second.close()

    const third = await run(`${fresh},${old}`)
    third.clock.advance(MINUTE)
    third.services.outbox.wake()
    const link = tokenIn(await smtp.waitFor(mailTo(email)))
    assert.equal((await third.api.post('/api/v1/auth/verify-email', { body: { token: link } })).status, 200)
    await third.close()
    await remove()
  })
})

describeOnEachEngine('A killed process', (engine) => {
  test('loses no email at any step of a delivery', async () => {
    const { url, remove } = await ownDatabase(engine)
    const folder = mkdtempSync(join(tmpdir(), 'bukhindor-outbox-'))
    const env = { ...smtp.env, DATABASE_URL: url, DATA_DIR: folder, APP_SECRET: secret(), LOG_LEVEL: 'warn' }
    const steps: (Trouble | null)[] = [null, ...PHASES.map((at) => ({ at, how: 'hang' }) as const)]
    const people: string[] = []
    for (const step of steps) {
      smtp.trouble = step ?? { at: 'connect', how: 'refuse' }
      const server = await startServer(env)
      const reached = { ...smtp.reached }
      const email = `killed.${people.length}.${engine}@example.org`
      const client = createClient(server.url)
      assert.equal((await client.register({ email })).status, 201)
      client.close()
      people.push(email)
      if (step) await smtp.until(() => smtp.reached[step.at] > reached[step.at])
      await server.stop('SIGKILL')
    }
    assert.ok(!smtp.mails.some(({ recipients }) => people.includes(recipients[0] ?? '')))

    smtp.trouble = null
    const config = { database: databaseOf(engine, url), requestTimeout: 15_000 }
    const { db, close } = await openDatabase(config)
    // What the dead have claimed is free again after two minutes: they have passed.
    await db
      .updateTable('outbox')
      .set(({ ref }) => ({ claimed_until: ref('created_at'), next_try_at: ref('created_at') }))
      .execute()
    await close()
    const server = await startServer(env)
    for (const email of people) await smtp.waitFor(mailTo(email))
    assert.equal(await server.stop(), 0)
    await remove()
    rmSync(folder, { recursive: true })
  })
})

const databaseOf = (engine: Engine, url: string) =>
  engine === 'sqlite'
    ? ({ engine, file: url.slice('sqlite:'.length) } as const)
    : ({ engine, url, poolSize: 1 } as const)
