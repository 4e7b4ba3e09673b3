import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { deleteExpiredKeys } from '../../../../src/kernel/http/idempotency/idempotency.store.ts'
import { DAY, HOUR, MINUTE } from '../../../../src/kernel/lib/clock.ts'
import {
  createAdmin,
  describeOnEachEngine,
  PASSWORD,
  register,
  signIn,
  startApp,
  useApp,
} from '../../../support/app.ts'
import type { Response } from '../../../support/client.ts'
import { isReplayed, newKey } from '../../../support/idempotency.ts'

const USERS = '/api/v1/users'
const someone = () => ({ email: `${randomUUID()}@example.org`, name: 'Левин', password: PASSWORD })

describeOnEachEngine('Idempotency keys', (engine) => {
  const t = useApp(engine)

  async function administrator() {
    const admin = await createAdmin(t.services)
    const { access_token: token, id } = await signIn(t.api, admin)
    /** A write by the administrator with a key. */
    const write = (method: string, path: string, key: string, body?: unknown, headers: Record<string, string> = {}) =>
      t.api.request(method, path, { token, body, headers: { 'idempotency-key': key, ...headers } })
    return { id, token, write }
  }
  const found = async (token: string, email: string): Promise<number> =>
    (await t.api.get(`${USERS}?q=${encodeURIComponent(email)}`, { token })).body.users.length
  const rows = () => t.services.database.db.selectFrom('idempotency_keys').selectAll().execute()

  test('replay the first answer with its status, body and headers, and run the request once', async () => {
    const { token, write } = await administrator()
    const [key, person] = [randomUUID(), someone()]
    const first = await write('POST', USERS, key, person)
    const second = await write('POST', USERS, key, person)
    assert.deepEqual([first.status, isReplayed(first)], [201, false])
    assert.deepEqual([second.status, isReplayed(second)], [201, true])
    assert.deepEqual(second.body, first.body)
    for (const name of ['etag', 'location', 'content-type', 'x-request-id'])
      assert.equal(second.headers.get(name), first.headers.get(name), name)
    assert.ok(first.headers.get('etag'))
    assert.equal(await found(token, person.email), 1)
  })

  test('cover every kind of write', async () => {
    const { write } = await administrator()
    const { body: user } = await write('POST', USERS, randomUUID(), someone())
    for (const [method, body] of [['PUT', { name: 'Кити' }], ['PATCH', { name: 'Долли' }], ['DELETE']] as const) {
      const key = randomUUID()
      const first = await write(method, `${USERS}/${user.id}`, key, body)
      const second = await write(method, `${USERS}/${user.id}`, key, body)
      assert.deepEqual([first.status, second.status, isReplayed(second)], [200, 200, true], method)
      assert.deepEqual(second.body, first.body, method)
      assert.equal(second.headers.get('etag'), first.headers.get('etag'), method)
    }
  })

  test('are refused for another body, path, query, method or If-Match', async () => {
    const { token, write } = await administrator()
    const [key, person] = [randomUUID(), someone()]
    const { body: user } = await write('POST', USERS, key, person)
    const path = `${USERS}/${user.id}`
    const others = [
      await write('POST', USERS, key, { ...person, name: 'Вронский' }),
      await write('PATCH', path, key, { name: 'Левин' }),
      await write('DELETE', path, key),
      await write('POST', '/api/v1/auth/logout', key),
      await write('POST', '/api/v1/auth/logout?again', key),
    ]
    for (const { status, body } of others) assert.deepEqual([status, body.reason], [422, 'idempotency_key_reused'])
    const conditional = randomUUID()
    await write('PATCH', path, conditional, { name: 'Облонский' }, { 'if-match': '"7"' })
    const later = await write('PATCH', path, conditional, { name: 'Облонский' }, { 'if-match': '"1"' })
    assert.equal(later.body.reason, 'idempotency_key_reused')
    assert.equal((await t.api.get(path, { token })).body.name, 'Левин')
  })

  test('let one of 50 parallel requests run; the others get its answer or a 409', async () => {
    const { token, write } = await administrator()
    const [key, person] = [randomUUID(), someone()]
    const answers = await Promise.all(Array.from({ length: 50 }, () => write('POST', USERS, key, person)))
    const ran = answers.filter((answer) => answer.status === 201 && !isReplayed(answer))
    assert.equal(ran.length, 1)
    for (const answer of answers.filter((one) => one.status !== 201)) {
      assert.equal(answer.body.reason, 'idempotency_in_progress')
      assert.equal(answer.body.action, 'retry')
      assert.equal(answer.headers.get('retry-after'), '1')
    }
    assert.equal(await found(token, person.email), 1)
    const after = await write('POST', USERS, key, person)
    assert.deepEqual(after.body, ran[0]?.body)
  })

  test('belong to their caller: two users may use the same key', async () => {
    const [one, other] = [await administrator(), await administrator()]
    const key = randomUUID()
    const answers = [await one.write('POST', USERS, key, someone()), await other.write('POST', USERS, key, someone())]
    assert.deepEqual(
      answers.map(({ status, ...answer }) => [status, isReplayed(answer as Response)]),
      [
        [201, false],
        [201, false],
      ],
    )
  })

  test('work without a token for the same email and password', async () => {
    const [key, person] = [randomUUID(), someone()]
    const headers = { 'idempotency-key': key }
    const registered = await t.api.register(person, { headers })
    const again = await t.api.register(person, { headers })
    assert.deepEqual([registered.status, again.status, again.body], [201, 201, registered.body])

    const { email, password } = person
    const first = await t.api.login({ email, password }, { headers })
    const second = await t.api.login({ email, password }, { headers })
    assert.equal(first.status, 200)
    assert.deepEqual(second.body, first.body)
    const token = second.body.user.access_token
    assert.equal((await t.api.get('/api/v1/auth/sessions', { token })).body.sessions.length, 1)

    const other = await t.api.login({ email, password, delivery: 'cookie' }, { headers })
    assert.deepEqual([other.status, other.body.reason], [422, 'idempotency_key_reused'])
    const attempt = await t.api.login({ email, password: 'a wrong one' }, { headers })
    assert.equal(attempt.body.reason, 'invalid_credentials', 'it counts as a failed login')
  })

  test('replay final refusals as well', async () => {
    const { write } = await administrator()
    const person = someone()
    await write('POST', USERS, randomUUID(), person)
    const key = randomUUID()
    const refused = await write('POST', USERS, key, { ...person, email: person.email.toUpperCase() })
    const again = await write('POST', USERS, key, { ...person, email: person.email.toUpperCase() })
    assert.deepEqual([refused.status, refused.body.reason], [409, 'email_taken'])
    assert.deepEqual([again.status, again.body, isReplayed(again)], [409, refused.body, true])
  })

  test('have 1 to 255 printable characters: anything else gets 400', async () => {
    const { token, write } = await administrator()
    for (const [key, reason] of [
      ['k'.repeat(5000), 'too_long'],
      ['k'.repeat(256), 'too_long'],
      ['', 'too_short'],
      ['clé', 'format'],
    ] as const) {
      const { status, body } = await write('POST', USERS, key, someone())
      assert.deepEqual([status, body.reason], [400, 'validation_failed'])
      assert.deepEqual([body.fields[0].path, body.fields[0].reason], ['/idempotency-key', reason])
    }
    for (const key of ['k'.repeat(255), '"quoted" and ~spaced']) {
      const person = someone()
      assert.equal((await write('POST', USERS, key, person)).status, 201)
      assert.equal(await found(token, person.email), 1)
    }
  })

  test('are not used up by a malformed or forbidden request', async () => {
    const { token, write } = await administrator()
    const [key, person] = [randomUUID(), someone()]
    const headers = { 'idempotency-key': key }
    const before = (await rows()).length
    assert.equal((await t.api.post(USERS, { body: person, headers })).status, 401)
    assert.equal((await t.api.post(USERS, { token: `${token}x`, body: person, headers })).status, 401)
    assert.equal((await write('POST', USERS, key, { ...person, colour: 'green' })).status, 400)
    const { access_token: ordinary } = await signIn(t.api, await register(t.api))
    assert.equal((await t.api.post(USERS, { token: ordinary, body: person, headers })).status, 403)
    assert.equal((await rows()).length, before)
    assert.equal((await write('POST', USERS, key, person)).status, 201)
  })

  test('are stored with their answers in unreadable form', async () => {
    const person = await register(t.api)
    const key = randomUUID()
    const { body } = await t.api.login(
      { email: person.email, password: person.password },
      { headers: { 'idempotency-key': key } },
    )
    const kept = (await rows()).map((row) => `${JSON.stringify(row)} ${Buffer.from(row.answer ?? '', 'base64url')}`)
    assert.ok(kept.length > 0)
    const { access_token, refresh_token, email, id, session_id } = body.user
    for (const secret of [key, access_token, refresh_token, email, id, session_id, person.password, 'signed'])
      for (const row of kept) assert.ok(!row.includes(secret), secret)
  })

  test('are documented for every write under /api/v1', async () => {
    const { paths } = t.app.swagger() as unknown as {
      paths: Record<string, Record<string, { parameters?: { $ref?: string }[] }>>
    }
    for (const [path, operations] of Object.entries(paths))
      for (const [method, { parameters = [] }] of Object.entries(operations)) {
        const isDocumented = parameters.some(({ $ref }) => $ref === '#/components/parameters/Idempotency-Key')
        assert.equal(isDocumented, path.startsWith('/api/v1/') && method !== 'get', `${method} ${path}`)
      }
  })
})

describeOnEachEngine('Idempotency keys over time', (engine) => {
  test('are valid for 24 hours, then the request runs again', async () => {
    const t = await startApp(engine)
    try {
      const body = someone()
      const request = { body, headers: newKey() }
      const post = () => t.api.post('/api/v1/auth/register', request)
      const first = await post()
      t.clock.advance(DAY - HOUR)
      assert.deepEqual((await post()).body, first.body)
      t.clock.advance(HOUR + MINUTE)
      const later = await post()
      assert.deepEqual([later.body.reason, isReplayed(later)], ['email_taken', false])
    } finally {
      await t.close()
    }
  })

  test('work across instances and restarts', async () => {
    const first = await startApp(engine)
    const DATABASE_URL =
      first.config.database.engine === 'sqlite' ? `sqlite:${first.config.database.file}` : first.config.database.url
    const request = { body: someone(), headers: newKey() }
    try {
      const second = await startApp(engine, { env: { DATABASE_URL } })
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? first : second).api.post('/api/v1/auth/register', request)),
      )
      const ran = answers.filter((answer) => answer.status === 201 && !isReplayed(answer))
      assert.equal(ran.length, 1)
      await second.close()
      const restarted = await startApp(engine, { env: { DATABASE_URL } })
      const again = await restarted.api.post('/api/v1/auth/register', request)
      await restarted.close()
      assert.deepEqual([again.status, again.body, isReplayed(again)], [201, ran[0]?.body, true])
    } finally {
      await first.close()
    }
  })

  test('of a crashed process are held until the request can no longer be running', async () => {
    const t = await startApp(engine)
    try {
      const request = { body: someone(), headers: newKey() }
      const post = () => t.api.post('/api/v1/auth/register', request)
      await post()
      // The row as it is before the answer is there, which is how a dead process leaves it.
      const until = new Date(t.clock.now() + 2 * t.config.requestTimeout).toISOString()
      await t.services.database.db.updateTable('idempotency_keys').set({ answer: null, expires_at: until }).execute()
      assert.equal((await post()).body.reason, 'idempotency_in_progress')
      t.clock.advance(2 * t.config.requestTimeout + 1)
      const rerun = await post()
      assert.deepEqual([rerun.body.reason, isReplayed(rerun)], ['email_taken', false])
      const { body, headers } = request
      const { access_token: token } = await signIn(t.api, body)
      const rename = () => t.api.patch('/api/v1/auth/me', { token, body: { name: 'Стива' }, headers })
      const first = await rename()
      await t.services.database.db
        .updateTable('idempotency_keys')
        .set({ answer: null, expires_at: new Date(t.clock.now() - 1).toISOString() })
        .execute()
      const again = await rename()
      assert.deepEqual([first.status, again.status, isReplayed(again)], [200, 200, false])
      assert.deepEqual([(await rename()).body, isReplayed(await rename())], [again.body, true])
    } finally {
      await t.close()
    }
  })

  test('that expired are deleted in batches, and the others stay', async () => {
    const t = await startApp(engine)
    try {
      const { db } = t.services.database
      const post = () => t.api.register(someone(), { headers: newKey() })
      for (let i = 0; i < 3; i++) await post()
      t.clock.advance(DAY)
      await post()
      const run = () => deleteExpiredKeys(db, t.clock.now(), 2)
      assert.deepEqual([await run(), await run(), await run()], [2, 1, 0])
      assert.equal((await db.selectFrom('idempotency_keys').select('id').execute()).length, 1)
    } finally {
      await t.close()
    }
  })
})
