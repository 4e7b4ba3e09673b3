import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { isId } from '../../../src/kernel/lib/ids.ts'
import { createAdmin, describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../../support/app.ts'

const UNKNOWN = '018f3c5e-7d2a-7c1b-9f00-0123456789ab'

describeOnEachEngine('An administrator', (engine) => {
  const app = useApp(engine)
  let token = ''
  before(async () => {
    token = (await signIn(app.api, await createAdmin(app.services))).access_token
  })
  const create = (body: object) => app.api.post('/api/v1/users', { token, body })
  const get = (id: string) => app.api.get(`/api/v1/users/${id}`, { token })

  test('creates a user with every field, who can sign in', async () => {
    const body = {
      email: 'vera@example.org',
      name: 'Вера',
      password: PASSWORD,
      role: 'admin',
      is_active: true,
      email_verified: true,
      locale: 'ru',
    }
    const answer = await create(body)
    assert.equal(answer.status, 201)
    assert.ok(isId(answer.body.id))
    assert.equal(answer.headers.get('location'), `/api/v1/users/${answer.body.id}`)
    const { password, ...rest } = body
    for (const [field, value] of Object.entries(rest)) assert.equal(answer.body[field], value, field)
    const read = await get(answer.body.id)
    assert.deepEqual(read.body, answer.body)
    assert.equal(read.headers.get('etag'), answer.headers.get('etag'))
    await signIn(app.api, body)
  })

  test('creates a user with the required fields, who cannot sign in yet', async () => {
    const { body } = await create({ email: 'least@example.org', name: 'Least' })
    assert.deepEqual([body.role, body.is_active, body.email_verified, body.locale], ['user', true, false, 'en'])
  })

  for (const method of ['put', 'patch'] as const)
    test(`updates a user with ${method.toUpperCase()}; null and absent fields stay`, async () => {
      const person = await register(app.api)
      const body = { name: 'Renamed', email: null, is_active: null, role: null, locale: 'ru', email_verified: true }
      const { body: changed } = await app.api[method](`/api/v1/users/${person.id}`, { token, body })
      const { password, ...user } = person
      const { updated_at } = changed
      assert.deepEqual(changed, { ...user, name: 'Renamed', locale: 'ru', email_verified: true, updated_at })
      assert.deepEqual((await get(person.id)).body, changed)
    })

  test('changes nothing with an empty update', async () => {
    const person = await register(app.api)
    const { body } = await app.api.patch(`/api/v1/users/${person.id}`, { token, body: {} })
    assert.deepEqual({ ...body, password: PASSWORD }, { ...person, updated_at: body.updated_at })
  })

  test('changes an address, which becomes unverified', async () => {
    const { body } = await create({ email: 'before@example.org', name: 'Moving', email_verified: true })
    const change = (email: string) => app.api.patch(`/api/v1/users/${body.id}`, { token, body: { email } })
    assert.equal((await change('BEFORE@example.org')).body.email_verified, true)
    const { body: moved } = await change('after@example.org')
    assert.deepEqual([moved.email, moved.email_verified], ['after@example.org', false])
  })

  test('cannot assign a taken address', async () => {
    const [one, other] = [await register(app.api), await register(app.api)]
    const body = { email: other.email.toUpperCase() }
    const answer = await app.api.patch(`/api/v1/users/${one.id}`, { token, body })
    assert.equal(answer.body.reason, 'email_taken')
    assert.equal((await get(one.id)).body.email, one.email)
  })

  test('deletes a user with the sessions, and the address is free again', async () => {
    const person = await register(app.api)
    await signIn(app.api, person)
    assert.equal((await app.api.delete(`/api/v1/users/${person.id}`, { token })).status, 200)
    assert.equal((await get(person.id)).status, 404)
    const again = await register(app.api, { email: person.email })
    assert.notEqual(again.id, person.id)
  })

  test('gets 404 for an unknown user', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE'])
      for (const path of method === 'GET' ? ['', '/sessions'] : ['']) {
        const body = method === 'PUT' || method === 'PATCH' ? { body: {} } : {}
        const answer = await app.api.request(method, `/api/v1/users/${UNKNOWN}${path}`, { token, ...body })
        assert.equal(answer.body.reason, 'not_found', method)
      }
    for (const path of ['/sessions', `/sessions/${UNKNOWN}`])
      assert.equal((await app.api.delete(`/api/v1/users/${UNKNOWN}${path}`, { token })).status, 404)
  })

  test('lists and ends the sessions of a user, one or all', async () => {
    const person = await register(app.api)
    const [first, second, third] = [
      await signIn(app.api, person),
      await signIn(app.api, person),
      await signIn(app.api, person),
    ]
    const ids = [first, second, third].map(({ session_id }) => session_id)
    const path = `/api/v1/users/${person.id}/sessions`
    const listed = (await app.api.get(path, { token })).body.sessions
    assert.deepEqual(new Set(listed.map(({ id }: { id: string }) => id)), new Set(ids))
    assert.ok(listed.every(({ current }: { current: boolean }) => !current))
    const one = await app.api.delete(`${path}/${first.session_id}`, { token })
    assert.equal(one.body.revoked, 1)
    assert.equal((await app.api.delete(`${path}/${first.session_id}`, { token })).status, 404)
    assert.equal((await app.api.delete(path, { token })).body.revoked, 2)
    assert.equal((await app.api.delete(path, { token })).body.revoked, 0)
    const answer = await app.api.me(third.access_token)
    assert.equal(answer.body.reason, 'session_ended')
  })

  test('gets 412 for an update with an outdated If-Match', async () => {
    const person = await register(app.api)
    const path = `/api/v1/users/${person.id}`
    const etag = (await get(person.id)).headers.get('etag') as string
    const headers = { 'if-match': etag }
    const writes = Array.from({ length: 10 }, (_, i) =>
      app.api.patch(path, { token, body: { name: `N${i}` }, headers }),
    )
    const statuses = (await Promise.all(writes)).map(({ status }) => status)
    assert.deepEqual(statuses.toSorted(), [200, ...Array(9).fill(412)])
    assert.equal((await app.api.put(path, { token, body: {}, headers })).body.reason, 'precondition_failed')
    assert.equal((await app.api.delete(path, { token, headers })).body.reason, 'precondition_failed')
    for (const odd of ['3', '"x"', 'W/"2"', '""', '"1", 2', '"1","3"', '"2'])
      assert.equal((await app.api.delete(path, { token, headers: { 'if-match': odd } })).status, 412, odd)
    // Any of a list, and the form of earlier versions.
    for (const match of ['"9", "2"', '"2"'])
      assert.equal((await app.api.patch(path, { token, body: {}, headers: { 'if-match': match } })).status, 200, match)
    assert.equal((await app.api.delete(path, { token, headers: { 'if-match': '*' } })).status, 200)
  })

  test('can update with an ETag from before a sign-in, which changes the ETag', async () => {
    const person = await register(app.api)
    const path = `/api/v1/users/${person.id}`
    const before = (await get(person.id)).headers.get('etag') as string
    await signIn(app.api, person)
    assert.notEqual((await get(person.id)).headers.get('etag'), before)
    const headers = { 'if-match': before }
    assert.equal((await app.api.patch(path, { token, body: { name: 'Other' }, headers })).status, 200)
    assert.equal((await app.api.patch(path, { token, body: { name: 'Again' }, headers })).status, 412)
  })

  test('gets 304 without a body for a current If-None-Match', async () => {
    const person = await register(app.api)
    const path = `/api/v1/users/${person.id}`
    const first = await get(person.id)
    const etag = first.headers.get('etag') as string
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await app.api.get(path, { token, headers: { 'if-none-match': known } })
      assert.deepEqual([answer.status, answer.body, answer.headers.get('etag')], [304, '', etag], known)
      assert.equal(answer.headers.get('cache-control'), first.headers.get('cache-control'))
    }
    await signIn(app.api, person)
    assert.equal((await app.api.get(path, { token, headers: { 'if-none-match': etag } })).status, 200)
    const me = await app.api.me(token)
    const headers = { 'if-none-match': me.headers.get('etag') as string }
    assert.equal((await app.api.get('/api/v1/auth/me', { token, headers })).status, 304)
  })

  test('changes nothing with equal values: no version, no time, no audit event', async () => {
    const person = await register(app.api)
    const path = `/api/v1/users/${person.id}`
    const before = await get(person.id)
    const { name, email, role, is_active, email_verified, locale } = before.body
    const same = { name: `  ${name} `, email, role, is_active, email_verified, locale }
    for (const body of [{}, { name: null, email: null, is_active: null }, same])
      for (const method of ['PUT', 'PATCH']) {
        const answer = await app.api.request(method, path, { token, body })
        assert.deepEqual([answer.status, answer.body], [200, before.body])
        assert.equal(answer.headers.get('etag'), before.headers.get('etag'))
      }
    const { access_token } = await signIn(app.api, person)
    assert.equal((await app.api.patch('/api/v1/auth/me', { token: access_token, body: { name } })).status, 200)
    const { body } = await app.api.get(`/api/v1/audit-events?action=user.updated&target_id=${person.id}`, { token })
    assert.deepEqual(body.events, [])
  })
})

describeOnEachEngine('A user', (engine) => {
  const app = useApp(engine)

  test('can read their own entry and change its name and language', async () => {
    const user = await signIn(app.api, await register(app.api))
    const path = `/api/v1/users/${user.id}`
    const put = (body: object) => app.api.put(path, { token: user.access_token, body })
    assert.equal((await app.api.get(path, { token: user.access_token })).body.email, user.email)
    assert.equal((await put({ name: 'New', locale: 'ru' })).body.name, 'New')
    for (const body of [
      { role: 'admin' },
      { is_active: false },
      { email: 'other@example.org' },
      { email_verified: true },
    ])
      assert.equal((await put({ name: 'Not this', ...body })).body.reason, 'forbidden', JSON.stringify(body))
    assert.equal((await app.api.get(path, { token: user.access_token })).body.name, 'New')
  })

  test('may send unchanged other fields', async () => {
    const user = await signIn(app.api, await register(app.api))
    const { email, role, is_active, email_verified, locale } = user
    const body = { name: 'New', email, role, is_active, email_verified, locale }
    const answer = await app.api.put(`/api/v1/users/${user.id}`, { token: user.access_token, body })
    assert.equal(answer.status, 200)
  })

  test('cannot tell whether other users exist', async () => {
    const [{ access_token: token }, other] = [await signIn(app.api, await register(app.api)), await register(app.api)]
    for (const id of [other.id, UNKNOWN]) {
      assert.equal((await app.api.get(`/api/v1/users/${id}`, { token })).body.reason, 'forbidden')
      assert.equal((await app.api.put(`/api/v1/users/${id}`, { token, body: {} })).body.reason, 'forbidden')
      assert.equal((await app.api.delete(`/api/v1/users/${id}`, { token })).body.reason, 'forbidden')
    }
  })
})

describeOnEachEngine('The last active administrator', (engine) => {
  const app = useApp(engine)

  test('can be neither deleted, demoted nor deactivated, and others can be', async () => {
    const last = await createAdmin(app.services)
    const { access_token: token } = await signIn(app.api, last)
    const inactive = await createAdmin(app.services)
    await app.api.patch(`/api/v1/users/${inactive.id}`, { token, body: { is_active: false } })

    const path = `/api/v1/users/${last.id}`
    assert.equal((await app.api.delete(path, { token })).body.reason, 'last_admin')
    for (const body of [{ role: 'user' }, { is_active: false }])
      assert.equal((await app.api.patch(path, { token, body })).body.reason, 'last_admin')
    assert.equal((await app.api.patch(path, { token, body: { name: 'Still here', role: 'admin' } })).status, 200)
    assert.equal((await app.api.delete(`/api/v1/users/${inactive.id}`, { token })).status, 200)

    const next = await createAdmin(app.services)
    assert.equal((await app.api.patch(path, { token, body: { role: 'user' } })).status, 200)
    await assert.rejects(app.services.operator.remove(next.email), { reason: 'last_admin' })
    await app.services.operator.update(last.email, { role: 'admin' })
    await app.services.operator.remove(next.email)
  })

  test('stays when two demote or delete each other in parallel', async () => {
    for (let round = 0; round < 5; round++) {
      const present = await app.services.operator.list({ role: 'admin' })
      const others = []
      for await (const user of present) others.push(user)
      const [one, two] = [await createAdmin(app.services), await createAdmin(app.services)]
      for (const { email } of others) await app.services.operator.remove(email)
      const [a, b] = [await signIn(app.api, one), await signIn(app.api, two)]
      const leave = (by: typeof a, whom: typeof a) =>
        round % 2
          ? app.api.delete(`/api/v1/users/${whom.id}`, { token: by.access_token })
          : app.api.patch(`/api/v1/users/${whom.id}`, { token: by.access_token, body: { role: 'user' } })
      const statuses = (await Promise.all([leave(a, b), leave(b, a)])).map(({ status }) => status).sort()
      assert.equal(statuses[0], 200)
      assert.notEqual(statuses[1], 200)
      const left = []
      for await (const user of app.services.operator.list({ role: 'admin' })) left.push(user)
      assert.equal(left.filter(({ is_active }) => is_active).length, 1)
    }
  })
})

describeOnEachEngine('An address is one account', (engine) => {
  const app = useApp(engine)
  const same: [string, string, string][] = [
    ['in another case', 'Anna.K@Example.org', 'aNNA.k@eXAMPLE.oRG'],
    ['with Cyrillic letters in another case', 'Анна@example.org', 'аННА@example.org'],
    ['composed and decomposed', 'rene\u0301@example.org', 'ren\u00e9@example.org'],
    ['of a domain in letters and in punycode', 'ivan@пример.рф', 'ivan@xn--e1afmkfd.xn--p1ai'],
    ['of a domain with full-width letters', 'wide@example.org', 'wide@ｅｘａｍｐｌｅ.org'],
    ['with a German sharp s in capitals', 'straße@example.org', 'STRAßE@example.org'],
  ]
  for (const [how, first, second] of same)
    test(how, async () => {
      const person = await register(app.api, { email: first })
      assert.equal(person.email, first)
      const answer = await app.api.register({ email: second, name: 'X' })
      assert.equal(answer.body.reason, 'email_taken')
      assert.equal((await signIn(app.api, { email: second })).id, person.id)
    })

  test('but lookalike letters make two', async () => {
    const [latin, cyrillic] = ['paypal@example.org', 'p\u0430ypal@example.org']
    const [one, other] = [await register(app.api, { email: latin }), await register(app.api, { email: cyrillic })]
    assert.notEqual(one.id, other.id)
  })

  test('so one of a hundred parallel registrations succeeds', async () => {
    const spelling = (i: number) => (i % 2 ? 'hundred@example.org' : 'HUNDRED@Example.ORG')
    const attempts = Array.from({ length: 100 }, (_, i) => app.api.register({ email: spelling(i), name: `N${i}` }))
    const answers = await Promise.all(attempts)
    const outcomes = answers.map(({ body }) => body.reason ?? 'registered').sort()
    assert.deepEqual(outcomes, [...Array(99).fill('email_taken'), 'registered'])
    const again = await app.api.register({ email: 'hundred@example.org', name: 'Late' })
    assert.equal(again.body.reason, 'email_taken')
  })
})
