import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../support/app.ts'

describeOnEachEngine('Somebody signed in', (engine) => {
  const app = useApp(engine)

  test('who knocks at closed doors all day is always refused, and fills no table', async () => {
    const { id, access_token: token } = await signIn(app.api, await register(app.api))
    for (let knock = 0; knock < 70; knock++)
      assert.equal((await app.api.get('/api/v1/users', { token })).body.reason, 'forbidden')
    const { db } = app.services.database
    const events = await db.selectFrom('audit_events').selectAll().where('actor_id', '=', id).execute()
    assert.equal(events.filter(({ action }) => action === 'access.denied').length, 60)
    assert.equal(app.logs.filter(({ reason, user_id }) => reason === 'forbidden' && user_id === id).length, 70)
  })

  test('cannot fill the mailbox of a stranger, however many accounts they have', async () => {
    const ask = async () => {
      const { access_token: token } = await signIn(app.api, await register(app.api))
      const body = { new_email: 'Stranger@example.org', password: PASSWORD }
      return (await app.api.post('/api/v1/auth/change-email', { token, body })).status
    }
    assert.deepEqual([await ask(), await ask(), await ask(), await ask()], [200, 200, 200, 429])
  })

  test('gets ten exports in an hour', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    const ask = async () => (await app.api.get('/api/v1/auth/me/export', { token })).status
    for (let times = 0; times < 10; times++) assert.equal(await ask(), 200)
    assert.equal(await ask(), 429)
  })
})
