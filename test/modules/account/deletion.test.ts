import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openDatabase } from '../../../src/kernel/db/open.ts'
import { DAY, MINUTE } from '../../../src/kernel/lib/clock.ts'
import {
  createAdmin,
  describeOnEachEngine,
  PASSWORD,
  register,
  registerVerified,
  signIn,
  type TestApp,
  useApp,
} from '../../support/app.ts'
import { linkIn, mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'
import { until } from '../../support/until.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const SUBJECT = /your account will be deleted/

const remove = (app: TestApp, token: string, password = PASSWORD) =>
  app.api.delete('/api/v1/auth/me', { token, body: { password } })
const login = (app: TestApp, email: string, more = {}) => app.api.login({ email, ...more })

/** Every row of every table as one text. */
async function everything(app: TestApp): Promise<string> {
  const { db, close } = await openDatabase(app.config)
  const tables = await db.introspection.getTables()
  const rows = await Promise.all(
    tables
      .filter(({ isView }) => !isView)
      .map(({ name }) =>
        db
          .selectFrom(name as 'users')
          .selectAll()
          .execute(),
      ),
  )
  await close()
  return JSON.stringify(rows)
}

describeOnEachEngine('The deletion of one’s own account', (engine) => {
  const app = useApp(engine, { env: smtp.env })

  test('ends all sessions at once and removes all data after the grace period, including the address', async () => {
    const person = await registerVerified(app, { email: `leaving.${engine}@example.org`, name: 'Leaving Forever' })
    const [here, there] = [await signIn(app.api, person), await signIn(app.api, person)]
    assert.equal((await remove(app, here.access_token, 'not the password')).body.reason, 'password_wrong')
    const answer = await remove(app, here.access_token)
    assert.equal(answer.status, 200)
    const grace = Date.parse(answer.body.delete_after) - app.clock.now()
    assert.ok(Math.abs(grace - 14 * DAY) < MINUTE)
    for (const { access_token: token } of [here, there])
      assert.equal((await app.api.me(token)).body.reason, 'session_ended')
    const refused = await login(app, person.email)
    assert.deepEqual([refused.status, refused.body.reason], [403, 'account_deletion_pending'])
    assert.equal(refused.body.delete_after, answer.body.delete_after)
    assert.equal((await app.api.register({ email: person.email })).body.reason, 'email_taken')

    app.clock.advance(14 * DAY - MINUTE)
    await app.services.retention.run()
    assert.equal((await login(app, person.email)).body.reason, 'account_deletion_pending')
    app.clock.advance(2 * MINUTE)
    await app.services.retention.run()
    await smtp.waitFor(mailTo(person.email, /your account has been deleted/))
    assert.equal((await login(app, person.email)).body.reason, 'invalid_credentials')
    const stored = await until(async () => {
      const text = await everything(app)
      return !text.includes('leaving.') && text
    })
    assert.doesNotMatch(stored, /Leaving/)
    assert.ok(stored.includes(person.id), 'the audit log knows by id what was done')
    await register(app.api, { email: person.email })
  })

  test('can be cancelled on the page of the email', async () => {
    const person = await registerVerified(app)
    await remove(app, (await signIn(app.api, person)).access_token)
    const link = linkIn(await smtp.waitFor(mailTo(person.email, SUBJECT)))
    const page = await fetch(app.url + link.pathname + link.search)
    assert.match(await page.text(), /Keep your account\?/)
    assert.equal((await login(app, person.email)).body.reason, 'account_deletion_pending')
    const done = await fetch(app.url + link.pathname, { method: 'POST', body: link.searchParams })
    assert.match(await done.text(), /Your account will not be deleted/)
    app.clock.advance(15 * DAY)
    await app.services.retention.run()
    assert.equal((await login(app, person.email)).status, 200)
  })

  test('can be cancelled while signing in, which invalidates the link', async () => {
    const person = await registerVerified(app)
    await remove(app, (await signIn(app.api, person)).access_token)
    const token = tokenIn(await smtp.waitFor(mailTo(person.email, SUBJECT)))
    assert.equal((await login(app, person.email, { undo_deletion: false })).status, 403)
    assert.equal((await login(app, person.email, { undo_deletion: true, password: 'x' })).status, 401)
    assert.equal((await login(app, person.email, { undo_deletion: true })).status, 200)
    const answer = await app.api.post('/api/v1/auth/undo-deletion', { body: { token } })
    assert.equal(answer.body.reason, 'link_invalid')
    app.clock.advance(15 * DAY)
    await app.services.retention.run()
    assert.equal((await login(app, person.email)).status, 200)
  })

  test('can be cancelled once through the API', async () => {
    const person = await registerVerified(app)
    await remove(app, (await signIn(app.api, person)).access_token)
    const token = tokenIn(await smtp.waitFor(mailTo(person.email, SUBJECT)))
    const undo = () => app.api.post('/api/v1/auth/undo-deletion', { body: { token } })
    const answers = await Promise.all([undo(), undo(), undo()])
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400])
    assert.equal((await login(app, person.email)).status, 200)
  })

  test('is not cancelled by a password reset', async () => {
    const person = await register(app.api)
    await remove(app, (await signIn(app.api, person)).access_token)
    await app.api.post('/api/v1/auth/reset-password', { body: { email: person.email } })
    const token = tokenIn(await smtp.waitFor(mailTo(person.email, /reset your password/)))
    const body = { token, new_password: PASSWORD }
    assert.equal((await app.api.post('/api/v1/auth/reset-password/confirm', { body })).status, 200)
    assert.equal((await login(app, person.email)).body.reason, 'account_deletion_pending')
  })

  test('is refused for the last administrator', async () => {
    const [first, second] = [await createAdmin(app.services), await createAdmin(app.services)]
    const [one, other] = [await signIn(app.api, first), await signIn(app.api, second)]
    const answers = [await remove(app, one.access_token), await remove(app, other.access_token)]
    assert.deepEqual(
      answers.map(({ status, body }) => [status, body.reason]),
      [
        [200, undefined],
        [409, 'last_admin'],
      ],
    )
    assert.equal((await app.api.me(other.access_token)).status, 200)
    // Demoting the other one is refused as well, since the first is on the way out.
    await assert.rejects(app.services.operator.update(second.email, { role: 'user' }), { reason: 'last_admin' })
  })
})

describeOnEachEngine('Without a grace period', (engine) => {
  const app = useApp(engine, { env: { ...smtp.env, ACCOUNT_DELETION_GRACE: '0' } })

  test('an account is deleted at once and gets a last email', async () => {
    const person = await registerVerified(app, { email: `at.once.${engine}@example.org` })
    const { access_token: token } = await signIn(app.api, person)
    const answer = await remove(app, token)
    assert.equal(answer.status, 200)
    assert.doesNotMatch(answer.body.message, /link|will be/)
    await smtp.waitFor(mailTo(person.email, /your account has been deleted/))
    assert.equal((await login(app, person.email)).body.reason, 'invalid_credentials')
    await until(async () => !(await everything(app)).includes('at.once.'))
  })
})

describeOnEachEngine('The export of one’s own data', (engine) => {
  const app = useApp(engine, { env: smtp.env })

  test('has all data of the person, none of others, and no secrets', async () => {
    const person = await registerVerified(app, { email: `export.${engine}@example.org`, name: 'Анна Экспорт' })
    const admin = await signIn(app.api, await createAdmin(app.services), { 'user-agent': 'the console of the admin' })
    const phone = { 'x-device-id': 'phone-0123456789abcdef', 'user-agent': 'the phone' }
    const ended = await signIn(app.api, person, phone)
    await app.api.post('/api/v1/auth/logout', { token: ended.access_token })
    const { access_token: token, session_id } = await signIn(app.api, person, {
      ...phone,
      'x-device-token': ended.device_token,
    })
    const changed = await app.api.patch(`/api/v1/users/${person.id}`, {
      token: admin.access_token,
      body: { name: 'Анна' },
      headers: { 'user-agent': 'the console of the admin' },
    })
    assert.equal(changed.status, 200)
    await app.api.login({ email: person.email, password: 'a wrong password' })
    const body = { new_email: `export.new.${engine}@example.org`, password: PASSWORD }
    await app.api.post('/api/v1/auth/change-email', { token, body })
    await smtp.waitFor(mailTo(body.new_email))

    const answer = await app.api.get('/api/v1/auth/me/export', { token })
    assert.equal(answer.headers.get('content-disposition'), 'attachment; filename="bukhindor-export.json"')
    const { user, sessions, known_devices, audit_events, links, mails } = answer.body
    assert.deepEqual([user.id, user.email, user.name], [person.id, person.email, 'Анна'])
    assert.deepEqual(
      sessions.map((session: Record<string, unknown>) => [session.id, session.end_reason, session.user_agent]),
      [
        [ended.session_id, 'logout', 'the phone'],
        [session_id, null, 'the phone'],
      ],
    )
    assert.equal(known_devices.length, 2, 'the one that registered, and the phone')
    assert.deepEqual(links.map(({ kind }: { kind: string }) => kind).sort(), ['change_email', 'verify_email'])
    assert.deepEqual(mails.map(({ kind }: { kind: string }) => kind).sort(), [
      'change_email_confirm',
      'change_email_notice',
      'verify_email',
    ])
    const actions = audit_events.map(({ action }: { action: string }) => action)
    for (const action of ['user.registered', 'login.succeeded', 'login.failed', 'user.updated', 'account.exported'])
      assert.ok(actions.includes(action), action)
    const text = JSON.stringify(answer.body)
    assert.doesNotMatch(text, /console of the admin/, 'where an administrator sat is their own business')
    assert.doesNotMatch(text, /argon2|hash|payload|token=|"seen"|generation/)
    assert.doesNotMatch(text, new RegExp(PASSWORD))
  })
})
