import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isId } from '../../../src/kernel/lib/ids.ts'
import { createAdmin, describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../../support/app.ts'

describeOnEachEngine('Registration and sign-in', (engine) => {
  const app = useApp(engine)

  test('a registration creates an account and no session', async () => {
    const body = { email: 'Anna@Example.org', password: PASSWORD, name: '  Анна  ' }
    const answer = await app.api.register(body, { headers: { 'accept-language': 'ru-RU,ru;q=0.9' } })
    assert.equal(answer.status, 201)
    const { user, message } = answer.body
    assert.equal(message, 'Аккаунт создан. Войдите, чтобы продолжить.')
    assert.ok(isId(user.id))
    assert.deepEqual(
      { ...user, id: '', created_at: '', updated_at: '' },
      {
        id: '',
        email: 'Anna@Example.org',
        name: 'Анна',
        role: 'user',
        is_active: true,
        email_verified: false,
        locale: 'ru',
        created_at: '',
        updated_at: '',
        last_login_at: null,
      },
    )
  })

  test('a sign-in gives the user and the tokens, whatever the case of the address', async () => {
    const person = await register(app.api, { email: 'Boris@Example.org' })
    const user = await signIn(app.api, { email: 'bORIS@eXAMPLE.ORG' })
    assert.equal(user.id, person.id)
    assert.equal(user.email, 'Boris@Example.org')
    assert.equal(user.token_type, 'Bearer')
    assert.equal(user.expires_in, 900)
    assert.equal(user.refresh_expires_in, 30 * 24 * 3600)
    assert.ok(isId(user.session_id))
    assert.equal((await app.api.me(user.access_token)).body.last_login_at, user.last_login_at)
  })

  test('an unknown address and a wrong password get the same answer', async () => {
    const { email } = await register(app.api)
    const attempt = async (email: string) => {
      const { status, body } = await app.api.login({ email, password: 'not the password' })
      return { answered: status, ...body, request_id: '' }
    }
    const wrong = await attempt(email)
    assert.deepEqual(await attempt('nobody@example.org'), wrong)
    assert.deepEqual([wrong.answered, wrong.reason, wrong.action], [401, 'invalid_credentials', 'fix'])
  })

  test('a password in another Unicode form is accepted', async () => {
    const { email } = await register(app.api, { password: 'проливной дождик' })
    await signIn(app.api, { email, password: 'проливнои\u0306 дождик' })
  })

  test('a deactivated account is revealed only with the right password', async () => {
    const person = await register(app.api)
    await app.services.operator.update(person.email, { is_active: false })
    const attempt = (password: string) => app.api.login({ email: person.email, password })
    assert.equal((await attempt('not the password')).body.reason, 'invalid_credentials')
    assert.equal((await attempt(PASSWORD)).body.reason, 'account_inactive')
  })

  test('a user without a password cannot sign in', async () => {
    const user = await app.services.operator.create({ email: 'invited@example.org', name: 'Invited' })
    const answer = await app.api.login({ email: user.email })
    assert.equal(answer.body.reason, 'invalid_credentials')
  })
})

describeOnEachEngine('Sign-out', (engine) => {
  const app = useApp(engine)

  test('ends this session and its refresh token at once, and no other session', async () => {
    const person = await register(app.api)
    const [here, there] = [await signIn(app.api, person), await signIn(app.api, person)]
    const answer = await app.api.post('/api/v1/auth/logout', { token: here.access_token })
    assert.equal(answer.status, 200)
    assert.equal((await app.api.me(here.access_token)).body.reason, 'session_ended')
    const refresh = await app.api.refresh(here.refresh_token)
    assert.equal(refresh.body.reason, 'session_ended')
    assert.equal(refresh.body.action, 'reauthenticate')
    assert.equal((await app.api.me(there.access_token)).status, 200)
  })

  test('from all devices ends every session and counts them', async () => {
    const person = await register(app.api)
    const current = await signIn(app.api, person)
    const sessions = [current, await signIn(app.api, person), await signIn(app.api, person)]
    const answer = await app.api.post('/api/v1/auth/logout-all', { token: current.access_token })
    assert.equal(answer.body.revoked, 3)
    for (const { access_token } of sessions) assert.equal((await app.api.me(access_token)).body.reason, 'session_ended')
  })

  test('deletes its own cookie and leaves storage, cache and other cookies alone', async () => {
    const person = await register(app.api)
    for (const path of ['/logout', '/logout-all']) {
      const body = { email: person.email, password: PASSWORD, delivery: 'cookie' }
      const login = await app.api.login(body)
      const [cookie = ''] = login.headers.getSetCookie().map((set) => set.split(';')[0])
      const answer = await app.api.post(`/api/v1/auth${path}`, {
        token: login.body.user.access_token,
        headers: { cookie: `theme=dark; ${cookie}; cart=7`, 'idempotency-key': path },
      })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('clear-site-data'), null)
      const taken = answer.headers.getSetCookie()
      assert.equal(taken.length, 1)
      assert.ok(taken[0]?.startsWith(`${cookie.split('=')[0]}=; Max-Age=0; Path=/api/v1/auth`), taken[0])
    }
  })

  test('from all devices can keep the current session', async () => {
    const person = await register(app.api)
    const [here, there] = [await signIn(app.api, person), await signIn(app.api, person)]
    const body = { keep_current: true }
    const answer = await app.api.post('/api/v1/auth/logout-all', { token: here.access_token, body })
    assert.equal(answer.body.revoked, 1)
    assert.equal((await app.api.me(here.access_token)).status, 200)
    assert.equal((await app.api.me(there.access_token)).body.reason, 'session_ended')
  })
})

describeOnEachEngine("One's own sessions", (engine) => {
  const app = useApp(engine)

  test('are listed with their device information, most recently used first', async () => {
    const person = await register(app.api)
    const phone = { 'x-device-id': 'phone-1', 'x-app-type': 'ios', 'x-app-version': '1.4.0', 'user-agent': 'Dart/3.9' }
    const old = await signIn(app.api, person, phone)
    app.clock.advance(60_000)
    const now = await signIn(app.api, person, { 'x-app-type': 'toaster' })
    const { body } = await app.api.get('/api/v1/auth/sessions', { token: now.access_token })
    assert.deepEqual(
      body.sessions.map((session: Record<string, unknown>) => [session.id, session.current, session.app_type]),
      [
        [now.session_id, true, null],
        [old.session_id, false, 'ios'],
      ],
    )
    const { device_id, app_version, user_agent, ip } = body.sessions[1]
    assert.deepEqual([device_id, app_version, user_agent, ip], ['phone-1', '1.4.0', 'Dart/3.9', '127.0.0.1'])
  })

  test('can be ended one by one, once each', async () => {
    const person = await register(app.api)
    const [here, there] = [await signIn(app.api, person), await signIn(app.api, person)]
    const end = () => app.api.delete(`/api/v1/auth/sessions/${there.session_id}`, { token: here.access_token })
    assert.equal((await end()).status, 200)
    assert.equal((await app.api.me(there.access_token)).body.reason, 'session_ended')
    assert.equal((await end()).status, 404)
  })

  test('cannot be ended by another user', async () => {
    const [mine, theirs] = [
      await signIn(app.api, await register(app.api)),
      await signIn(app.api, await register(app.api)),
    ]
    const answer = await app.api.delete(`/api/v1/auth/sessions/${theirs.session_id}`, { token: mine.access_token })
    assert.equal(answer.status, 404)
    assert.equal((await app.api.me(theirs.access_token)).status, 200)
  })
})

describeOnEachEngine("One's own profile", (engine) => {
  const app = useApp(engine)

  test('is flat, with an ETag that changes with each update', async () => {
    const user = await signIn(app.api, await register(app.api))
    const before = await app.api.me(user.access_token)
    const changed = await app.api.patch('/api/v1/auth/me', {
      token: user.access_token,
      body: { name: 'Å', locale: null },
      headers: { 'if-match': before.headers.get('etag') as string },
    })
    assert.equal(changed.body.name, 'Å')
    assert.equal(changed.body.locale, before.body.locale)
    assert.notEqual(changed.headers.get('etag'), before.headers.get('etag'))
    assert.deepEqual((await app.api.me(user.access_token)).body, changed.body)
  })

  test('refuses an update based on an outdated version', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    const headers = { 'if-match': (await app.api.me(token)).headers.get('etag') as string }
    const change = (name: string) => app.api.patch('/api/v1/auth/me', { token, body: { name }, headers })
    assert.equal((await change('First')).status, 200)
    assert.equal((await change('Second')).body.reason, 'precondition_failed')
  })

  test('cannot change the role', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    const answer = await app.api.patch('/api/v1/auth/me', { token, body: { role: 'admin' } })
    assert.equal(answer.status, 400)
    assert.deepEqual(
      answer.body.fields.map((field: { path: string; reason: string }) => [field.path, field.reason]),
      [['/role', 'unknown_field']],
    )
  })
})

describeOnEachEngine('The next request sees', (engine) => {
  const app = useApp(engine)
  const changes = {
    deactivation: (email: string) => app.services.operator.update(email, { is_active: false }),
    deletion: (email: string) => app.services.operator.remove(email),
    'a new password': (email: string) => app.services.operator.setPassword(email, 'another walk in the rain'),
  }
  for (const [name, change] of Object.entries(changes))
    test(`${name}: the session is over`, async () => {
      const person = await register(app.api)
      const { access_token, refresh_token } = await signIn(app.api, person)
      assert.equal((await app.api.me(access_token)).status, 200)
      await change(person.email)
      assert.equal((await app.api.me(access_token)).body.reason, 'session_ended')
      const refresh = await app.api.refresh(refresh_token)
      assert.equal(refresh.body.reason, 'session_ended')
    })

  test('a change of role, with the old token', async () => {
    const person = await register(app.api)
    await createAdmin(app.services)
    const { access_token: token } = await signIn(app.api, person)
    assert.equal((await app.api.get('/api/v1/users', { token })).status, 403)
    await app.services.operator.update(person.email, { role: 'admin' })
    assert.equal((await app.api.get('/api/v1/users', { token })).status, 200)
    await app.services.operator.update(person.email, { role: 'user' })
    assert.equal((await app.api.get('/api/v1/users', { token })).status, 403)
  })

  test('a change made by another instance', async () => {
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    assert.equal((await app.api.me(token)).status, 200)
    const { openDatabase } = await import('../../../src/kernel/db/open.ts')
    const other = await openDatabase(app.config)
    await other.db.updateTable('users').set({ name: 'Changed elsewhere' }).where('id', '=', person.id).execute()
    await other.close()
    assert.equal((await app.api.me(token)).body.name, 'Changed elsewhere')
  })
})
