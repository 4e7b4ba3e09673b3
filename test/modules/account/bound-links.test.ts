import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import type { Db } from '../../../src/kernel/db/database.ts'
import {
  createAdmin,
  describeOnEachEngine,
  engines,
  PASSWORD,
  register,
  signIn,
  startApp,
  useApp,
} from '../../support/app.ts'
import { mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'
import { until } from '../../support/until.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const NEW_ADDRESS = /confirm your new address/
const WELCOME = /confirm your e-mail/
const RESET = /reset your password/
let people = 0

describeOnEachEngine('A link in an email', (engine) => {
  const app = useApp(engine, { env: smtp.env })
  const confirm = (path: string, token: string, more = {}) =>
    app.api.post(`/api/v1/auth/${path}`, { body: { token, ...more } })
  const userOf = async (id: string) => (await app.services.users.byId(id)) ?? assert.fail()

  /** Somebody with a link of each kind in the mailbox, and one to the address of whoever has got into the account. */
  async function withLinks() {
    const number = ++people
    const person = await register(app.api, { email: `bound.${engine}.${number}@example.org` })
    const { access_token: token } = await signIn(app.api, person)
    const thief = `thief.${engine}.${number}@example.org`
    const body = { new_email: thief, password: PASSWORD }
    assert.equal((await app.api.post('/api/v1/auth/change-email', { token, body })).status, 200)
    assert.equal((await app.api.post('/api/v1/auth/reset-password', { body: { email: person.email } })).status, 200)
    const links = {
      change: tokenIn(await smtp.waitFor(mailTo(thief, NEW_ADDRESS))),
      verify: tokenIn(await smtp.waitFor(mailTo(person.email, WELCOME))),
      reset: tokenIn(await smtp.waitFor(mailTo(person.email, RESET))),
    }
    return { person, token, thief, links }
  }

  /** What an administrator does to an account in wrong hands, and which of its links go on working. */
  const rescues: [string, (id: string, email: string) => Promise<void>, ('change' | 'verify' | 'reset')[]][] = [
    [
      'another address',
      async (id) => {
        await asAdmin('patch', `/api/v1/users/${id}`, { email: `rescued.${id}@example.org` })
      },
      [],
    ],
    [
      'another address from the command line',
      async (id, email) => {
        await app.services.operator.update(email, { email: `rescued.${id}@example.org` })
      },
      [],
    ],
    [
      'another address and back',
      async (id, email) => {
        await asAdmin('patch', `/api/v1/users/${id}`, { email: `rescued.${id}@example.org` })
        await asAdmin('patch', `/api/v1/users/${id}`, { email })
      },
      [],
    ],
    [
      'another password from the command line',
      async (_id, email) => {
        await app.services.operator.setPassword(email, 'a rescued walk, in the rain')
      },
      ['verify'],
    ],
    [
      'deactivation, and activation later',
      async (id) => {
        await asAdmin('patch', `/api/v1/users/${id}`, { is_active: false })
        await asAdmin('patch', `/api/v1/users/${id}`, { is_active: true })
      },
      ['verify'],
    ],
    [
      'the end of all sessions',
      async (id) => {
        await asAdmin('delete', `/api/v1/users/${id}/sessions`)
      },
      ['verify', 'reset'],
    ],
  ]

  let admin: { access_token: string } | undefined
  async function asAdmin(method: 'patch' | 'delete', path: string, body?: unknown): Promise<void> {
    admin ??= await signIn(app.api, await createAdmin(app.services))
    const { access_token: token } = admin as { access_token: string }
    const answer = await app.api[method](path, { token, ...(body ? { body } : {}) })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
  }

  for (const [name, rescue, remaining] of rescues)
    test(`becomes invalid for a change of address after ${name}`, async () => {
      const { person, links } = await withLinks()
      await rescue(person.id, person.email)
      const { email } = await userOf(person.id)
      const worked = []
      if ((await confirm('change-email/confirm', links.change)).status === 200) worked.push('change')
      assert.equal((await userOf(person.id)).email, email)
      if ((await confirm('verify-email', links.verify)).status === 200) worked.push('verify')
      const more = { new_password: 'yet another walk, in the snow' }
      if ((await confirm('reset-password/confirm', links.reset, more)).status === 200) worked.push('reset')
      assert.deepEqual(worked, remaining)
    })

  test('stays valid after a change of name or role', async () => {
    const { person, thief, links } = await withLinks()
    await asAdmin('patch', `/api/v1/users/${person.id}`, { name: 'Somebody Else', role: 'admin' })
    assert.equal((await confirm('verify-email', links.verify)).status, 200)
    assert.equal((await confirm('change-email/confirm', links.change)).status, 200)
    assert.equal((await userOf(person.id)).email, thief)
    await asAdmin('patch', `/api/v1/users/${person.id}`, { role: 'user' })
  })

  test('verifies neither address while the address is being replaced', async () => {
    const { person, links } = await withLinks()
    const { database, users } = app.services
    let answer: ReturnType<typeof confirm> | undefined
    await database.transaction(async (trx) => {
      await users.update(trx, person.id, { email: `replaced.${person.id}@example.org` })
      answer = confirm('verify-email', links.verify)
      if (engine === 'postgres') await untilBlocked(database.db)
    })
    assert.equal((await answer)?.body.reason, 'link_invalid')
    assert.equal(Boolean((await userOf(person.id)).email_verified), false)
  })

  test('resets no password while the address is being replaced', async () => {
    const { person, links } = await withLinks()
    const { database, users } = app.services
    let answer: ReturnType<typeof confirm> | undefined
    await database.transaction(async (trx) => {
      await users.update(trx, person.id, { email: `moved.${person.id}@example.org` })
      answer = confirm('reset-password/confirm', links.reset, { new_password: 'another walk, in the rain' })
      if (engine === 'postgres') await untilBlocked(database.db)
    })
    assert.equal((await answer)?.body.reason, 'link_invalid')
    const user = await userOf(person.id)
    assert.equal(Boolean(user.email_verified), false)
    await signIn(app.api, { email: user.email })
  })

  test('causes no deadlock when it is used, requested and replaced in parallel', async () => {
    const { person, token, links } = await withLinks()
    const { credentials, database } = app.services
    const body = { new_email: `again.${person.id}@example.org`, password: PASSWORD }
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, () => confirm('verify-email', links.verify)),
      ...Array.from({ length: 3 }, () => app.api.post('/api/v1/auth/verify-email/resend', { token })),
      ...Array.from({ length: 3 }, () => app.api.post('/api/v1/auth/change-email', { token, body })),
      ...Array.from({ length: 3 }, () => confirm('change-email/confirm', links.change)),
    ])
    for (const { status, body } of answers) assert.ok([200, 400, 409, 429].includes(status), JSON.stringify(body))
    assert.ok(answers.some(({ status }) => status === 200))
    const user = await userOf(person.id)
    await Promise.all(
      Array.from({ length: 10 }, (_, number) =>
        database.transaction((trx) =>
          number % 2 ? credentials.sendReset(trx, user) : credentials.sendVerification(trx, user),
        ),
      ),
    )
  })
})

/** Waits until a connection of PostgreSQL waits for a lock that another one has. */
const untilBlocked = (db: Db) =>
  until(async () => {
    const { rows } = await sql<{ waiting: number }>`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
    return rows[0]?.waiting
  })

const postgres = engines.find(({ engine }) => engine === 'postgres')

test('a change of address requested before an administrator changes the address is invalid after it', {
  skip: postgres?.skip,
}, async (t) => {
  const app = await startApp('postgres', { env: smtp.env })
  t.after(() => app.close())
  const person = await register(app.api)
  const { access_token: token } = await signIn(app.api, person)
  const body = { new_email: 'thief.in.flight@example.org', password: PASSWORD }
  const { database, users } = app.services
  let answer: Promise<{ status: number }> | undefined
  await database.transaction(async (trx) => {
    await users.update(trx, person.id, { email: 'rescued.in.flight@example.org' })
    answer = app.api.post('/api/v1/auth/change-email', { token, body })
    await untilBlocked(database.db)
  })
  // Whether it was refused by then or not: no link of it works.
  if ((await answer)?.status !== 200) return
  const link = tokenIn(await smtp.waitFor(mailTo(body.new_email, NEW_ADDRESS)))
  const confirmed = await app.api.post('/api/v1/auth/change-email/confirm', { body: { token: link } })
  assert.equal(confirmed.body.reason, 'link_invalid')
  assert.equal((await users.byId(person.id))?.email, 'rescued.in.flight@example.org')
})
