import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createServer } from '../../../../src/kernel/http/server.ts'
import { DAY, HOUR, MINUTE } from '../../../../src/kernel/lib/clock.ts'
import { createLog } from '../../../../src/kernel/log/log.ts'
import { IDEMPOTENCY_KEYS } from '../../../../src/modules/rate-limits/policies.ts'
import {
  createAdmin,
  describeOnEachEngine,
  PASSWORD,
  register,
  signIn,
  startApp,
  type TestApp,
  useApp,
} from '../../../support/app.ts'
import type { Response } from '../../../support/client.ts'
import { holdRequest } from '../../../support/held.ts'
import { isReplayed, newKey } from '../../../support/idempotency.ts'

const AUTH = '/api/v1/auth'
const OTHER = 'another walk in the rain'

/** Begins a new window of the limit, so that it does not end while a test runs. */
const startHour = ({ clock }: TestApp) => clock.advance(HOUR - (clock.now() % HOUR))

/** Counts all the keys that somebody may have: the first in memory, the others in the database at once. */
async function useUp({ services: { rateLimits, database } }: TestApp, by: string): Promise<void> {
  for (let n = 0; n <= IDEMPOTENCY_KEYS.localQuota; n++) await rateLimits.limit(IDEMPOTENCY_KEYS, by)
  const counted = await database.db
    .updateTable('throttles')
    .set({ count: IDEMPOTENCY_KEYS.quota })
    .where('key', 'like', `${IDEMPOTENCY_KEYS.name}:%`)
    .executeTakeFirst()
  assert.equal(counted.numUpdatedRows, 1n)
}

describeOnEachEngine('Idempotency keys without a token', (engine) => {
  const t = useApp(engine)
  const rows = async () => (await t.services.database.db.selectFrom('idempotency_keys').select('id').execute()).length
  const login = (email: string, headers: Record<string, string>, password = PASSWORD) =>
    t.api.login({ email, password }, { headers })
  const sessionsOf = (userId: string) =>
    t.services.database.db
      .selectFrom('sessions')
      .select('id')
      .where('user_id', '=', userId)
      .where('ended_at', 'is', null)
      .execute()

  test('are not stored for failed requests, on any public route', async () => {
    const { email } = await register(t.api)
    const bodies: Record<string, object> = {
      '/register': { email, password: OTHER, name: 'Somebody' },
      '/login': { email, password: OTHER },
      '/refresh': { refresh_token: 'unknown' },
      '/reset-password/confirm': { token: 'unknown', new_password: OTHER },
      '/verify-email': { token: 'unknown' },
      '/change-email/confirm': { token: 'unknown' },
      '/undo-deletion': { token: 'unknown' },
    }
    const { paths } = t.app.swagger() as unknown as { paths: Record<string, { post?: { security: object[] } }> }
    const open = Object.entries(paths).filter(
      ([path, { post }]) => path.startsWith(AUTH) && post?.security.every((way) => !('bearer' in way)),
    )
    assert.deepEqual(
      open.map(([path]) => path.slice(AUTH.length)).sort(),
      [...Object.keys(bodies), '/reset-password'].sort(),
      'every public write is tried; asking for a reset cannot fail',
    )
    const before = await rows()
    for (const [path, body] of Object.entries(bodies)) {
      const headers = newKey()
      const answers = [
        await t.api.post(AUTH + path, { body, headers }),
        await t.api.post(AUTH + path, { body, headers }),
      ]
      for (const answer of answers) {
        assert.ok(answer.status >= 400 && answer.status < 500, path)
        assert.equal(isReplayed(answer), false, path)
      }
    }
    assert.equal(await rows(), before)
  })

  test('do not replay a failed sign-in once the password is right', async () => {
    const person = await register(t.api)
    const headers = newKey()
    assert.equal((await login(person.email, headers, OTHER)).body.reason, 'invalid_credentials')
    await t.services.operator.setPassword(person.email, OTHER)
    assert.equal((await login(person.email, headers, OTHER)).status, 200)
  })

  test('are separate for each email and password', async () => {
    const [one, other] = [await register(t.api), await register(t.api)]
    const headers = newKey()
    const first = await login(one.email, headers)
    for (let attempt = 0; attempt < 3; attempt++)
      assert.equal((await login(one.email, headers, `${OTHER} ${attempt}`)).body.reason, 'invalid_credentials')
    const second = await login(other.email, headers)
    assert.deepEqual([first.status, second.status, isReplayed(second)], [200, 200, false])
    assert.equal(second.body.user.id, other.id)
    assert.deepEqual((await login(one.email, headers)).body, first.body)
  })

  test('replay a sign-in from another network', async () => {
    const t = await startApp(engine, { env: { TRUST_PROXY: '1' } })
    try {
      const { email } = await register(t.api)
      const from = (ip: string) => ({ 'idempotency-key': 'one intent', 'x-forwarded-for': ip })
      const post = (ip: string) => t.api.login({ email }, { headers: from(ip) })
      const [first, second] = [await post('203.0.113.7'), await post('2001:db8::1')]
      assert.deepEqual([second.body, isReplayed(second)], [first.body, true])
    } finally {
      await t.close()
    }
  })

  test('do not replay a sign-in whose session has ended', async () => {
    const person = await register(t.api)
    const headers = newKey()
    const first = await login(person.email, headers)
    await t.api.post(`${AUTH}/logout`, { token: first.body.user.access_token })
    const answers = await Promise.all(Array.from({ length: 20 }, () => login(person.email, headers)))
    const ran = answers.filter((answer) => answer.status === 200 && !isReplayed(answer))
    assert.equal(ran.length, 1)
    for (const { status, body } of answers)
      assert.ok(status === 409 || body.user.session_id === ran[0]?.body.user.session_id, JSON.stringify(body))
    assert.equal((await sessionsOf(person.id)).length, 1)
    assert.deepEqual((await login(person.email, headers)).body, ran[0]?.body)
  })

  test('do not replay a sign-in after the password changed, even with a live session', async () => {
    const person = await register(t.api)
    const headers = newKey()
    const { access_token: token } = (await login(person.email, headers)).body.user
    const body = { current_password: PASSWORD, new_password: OTHER }
    assert.equal((await t.api.post(`${AUTH}/change-password`, { token, body })).status, 200)
    const again = await login(person.email, headers)
    assert.deepEqual([again.status, again.body.reason], [401, 'invalid_credentials'])
    assert.equal((await t.api.me(token)).status, 200)
  })

  test('do not replay a refresh of an ended session, nor a sign-in of a deactivated user', async () => {
    const person = await register(t.api)
    const [signingIn, refreshing] = [newKey(), newKey()]
    const { refresh_token } = (await login(person.email, signingIn)).body.user
    const refresh = () => t.api.refresh(refresh_token, { headers: refreshing })
    const first = await refresh()
    assert.deepEqual((await refresh()).body, first.body)
    await t.services.operator.update(person.email, { is_active: false })
    assert.deepEqual([(await refresh()).status, (await refresh()).body.reason], [401, 'session_ended'])
    assert.equal((await login(person.email, signingIn)).body.reason, 'account_inactive')
  })

  test('are stored up to a limit per address; beyond it requests run without a key', async () => {
    const t = await startApp(engine)
    try {
      startHour(t)
      await useUp(t, 'this machine')
      const request = { body: { email: 'one@example.org', password: PASSWORD, name: 'One' }, headers: newKey() }
      assert.equal((await t.api.post(`${AUTH}/register`, request)).status, 201)
      assert.equal((await t.api.post(`${AUTH}/register`, request)).body.reason, 'email_taken')
      const { access_token: token } = await signIn(t.api, request.body)
      const kept = await t.services.database.db.selectFrom('idempotency_keys').select('id').execute()
      assert.deepEqual(kept, [])
      const rename = await t.api.patch(`${AUTH}/me`, { token, body: { name: 'Two' }, headers: newKey() })
      assert.equal(rename.status, 200, 'who is signed in is counted for themself')
    } finally {
      await t.close()
    }
  })
})

describeOnEachEngine('Idempotency keys with a token', (engine) => {
  const t = useApp(engine)

  test('are limited by user: beyond the limit requests with a key get 429, those without one run', async () => {
    startHour(t)
    const { id, access_token: token } = await signIn(t.api, await register(t.api))
    const write = (headers: Record<string, string>) =>
      t.api.patch(`${AUTH}/me`, { token, body: { name: 'Two' }, headers })
    const before = newKey()
    assert.equal((await write(before)).status, 200)
    await useUp(t, id)
    const refused = await write(newKey())
    assert.deepEqual([refused.status, refused.body.reason], [429, 'rate_limited'])
    assert.equal(isReplayed(await write(before)), true)
    assert.equal((await write({})).status, 200)
    const { access_token: other } = await signIn(t.api, await register(t.api))
    const answer = await t.api.patch(`${AUTH}/me`, { token: other, body: { name: 'Two' }, headers: newKey() })
    assert.equal(answer.status, 200)
  })

  test('are not stored for 403 answers', async () => {
    const { id, email, access_token: token } = await signIn(t.api, await register(t.api))
    const request = { token, body: { email_verified: true }, headers: newKey() }
    const write = () => t.api.patch(`/api/v1/users/${id}`, request)
    assert.equal((await write()).body.reason, 'forbidden')
    await t.services.operator.update(email, { role: 'admin' })
    const allowed = await write()
    assert.deepEqual([allowed.status, isReplayed(allowed)], [200, false])
    assert.equal(isReplayed(await write()), true)
  })

  test('store no answer above the size limit', async () => {
    const server = await createServer(t.config, await createLog(t.config, { write() {} }), { draining: false })
    await server.register(t.services.idempotency.plugin)
    for (const [path, length] of [
      ['small', 64 * 1024],
      ['large', 64 * 1024 + 1],
    ] as const)
      server.post(`/api/v1/${path}`, async () => 'x'.repeat(length))
    const replayed = async (path: string) => {
      const request = { method: 'POST', url: `/api/v1/${path}`, headers: newKey() } as const
      await server.inject(request)
      return (await server.inject(request)).headers['idempotency-replayed']
    }
    assert.deepEqual([await replayed('small'), await replayed('large')], ['true', undefined])
    await server.close()
  })
})

describeOnEachEngine('A write that ended its own session', (engine) => {
  const t = useApp(engine)
  const person = async () => signIn(t.api, await register(t.api))
  const admin = async () => signIn(t.api, await createAdmin(t.services))

  test('is replayed when it is repeated with its key', async () => {
    await createAdmin(t.services) // So that no other is the last one.
    const writes: [string, string, object?][] = [
      ['POST', `${AUTH}/logout`],
      ['POST', `${AUTH}/logout`, {}],
      ['POST', `${AUTH}/logout-all`],
      ['POST', `${AUTH}/logout-all`, { keep_current: false }],
      ['DELETE', `${AUTH}/sessions/{session}`],
      ['DELETE', `${AUTH}/me`, { password: PASSWORD }],
      ['DELETE', '/api/v1/users/{id}/sessions'],
      ['PATCH', '/api/v1/users/{id}', { is_active: false }],
      ['DELETE', '/api/v1/users/{id}'],
    ]
    for (const [method, template, body] of writes) {
      const user = await admin()
      const path = template.replace('{session}', user.session_id).replace('{id}', user.id)
      const request = { token: user.access_token, headers: newKey(), ...(body && { body }) }
      const first = await t.api.request(method, path, request)
      const what = `${method} ${template}`
      assert.equal(first.status, 200, what)
      for (let times = 0; times < 2; times++) {
        const again = await t.api.request(method, path, request)
        assert.deepEqual([again.status, isReplayed(again), again.body], [200, true, first.body], what)
      }
    }
  })

  test('is not replayed for another key, request, session, user or token', async () => {
    const user = await person()
    const beside = await signIn(t.api, user)
    const stranger = await person()
    const headers = newKey()
    const [renaming, leaving] = [newKey(), { token: user.access_token, headers }]
    const rename = { token: user.access_token, body: { name: 'Renamed' }, headers: renaming }
    assert.equal((await t.api.patch(`${AUTH}/me`, rename)).status, 200)
    assert.equal((await t.api.post(`${AUTH}/logout-all`, leaving)).status, 200)
    const refused: [string, Promise<Response>][] = [
      ['no key', t.api.post(`${AUTH}/logout-all`, { token: user.access_token })],
      ['another key', t.api.post(`${AUTH}/logout-all`, { token: user.access_token, headers: newKey() })],
      ['another route', t.api.post(`${AUTH}/logout`, leaving)],
      ['another body', t.api.post(`${AUTH}/logout-all`, { ...leaving, body: { keep_current: true } })],
      ['another write', t.api.patch(`${AUTH}/me`, { ...leaving, body: { name: 'Again' } })],
      ['a read', t.api.get(`${AUTH}/me`, leaving)],
      ['a write that had not ended it', t.api.patch(`${AUTH}/me`, rename)],
      ['another session', t.api.post(`${AUTH}/logout-all`, { token: beside.access_token, headers })],
      ['a route of administrators', t.api.delete(`/api/v1/users/${user.id}`, leaving)],
    ]
    for (const [what, answer] of refused) {
      const { status, body } = await answer
      assert.deepEqual([status, body.reason], [401, 'session_ended'], what)
    }
    const forged = user.access_token.replace(
      /.(.{9})$/,
      (end: string, rest: string) => (end[0] === 'A' ? 'B' : 'A') + rest,
    )
    const answer = await t.api.post(`${AUTH}/logout-all`, { token: forged, headers })
    assert.equal(answer.body.reason, 'token_invalid')
    const own = await t.api.post(`${AUTH}/logout-all`, { token: stranger.access_token, headers })
    assert.deepEqual([own.status, isReplayed(own)], [200, false])
    const { name } = await t.services.database.db
      .selectFrom('users')
      .select('name')
      .where('id', '=', user.id)
      .executeTakeFirstOrThrow()
    assert.equal(name, 'Renamed')
  })

  test('is replayed for an expired access token as long as the answer is stored', async () => {
    const t = await startApp(engine)
    try {
      const user = await signIn(t.api, await register(t.api))
      const beside = await signIn(t.api, user)
      const request = { token: user.access_token, headers: newKey() }
      const staying = { token: beside.access_token, body: { name: 'Renamed' }, headers: newKey() }
      const first = await t.api.post(`${AUTH}/logout`, request)
      await t.api.patch(`${AUTH}/me`, staying)
      t.clock.advance(20 * MINUTE)
      const again = await t.api.post(`${AUTH}/logout`, request)
      assert.deepEqual([again.status, isReplayed(again), again.body], [200, true, first.body])
      const expired = await t.api.patch(`${AUTH}/me`, staying)
      assert.equal(expired.body.reason, 'token_expired', 'a session that lives has to refresh first')
      t.clock.advance(DAY)
      assert.equal((await t.api.post(`${AUTH}/logout`, request)).body.reason, 'token_expired')
    } finally {
      await t.close()
    }
  })

  test('is replayed when a parallel repeat ended the session while its body was being sent', async () => {
    const user = await person()
    const headers = { authorization: `Bearer ${user.access_token}`, ...newKey() }
    const held = await holdRequest(t.url, 'POST', `${AUTH}/logout-all`, { headers })
    for (let i = 0; i < 3; i++) assert.equal((await t.api.me(user.access_token)).status, 200)
    const first = await t.api.post(`${AUTH}/logout-all`, { headers, body: {} })
    const { status, text } = await held.finish()
    assert.deepEqual([status, JSON.parse(text)], [200, first.body])
  })

  test('is refused before its body arrives where nothing is stored', async () => {
    const user = await person()
    await t.api.post(`${AUTH}/logout`, { token: user.access_token })
    const headers = { authorization: `Bearer ${user.access_token}`, ...newKey() }
    const held = await holdRequest(t.url, 'POST', `${AUTH}/logout-all`, { headers })
    const { status, text } = await held.answer
    assert.deepEqual([status, JSON.parse(text).reason], [401, 'session_ended'])
  })
})
