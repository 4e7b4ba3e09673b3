import assert from 'node:assert/strict'
import { requireStatus } from '../../support/auth-calls.ts'
import { type Attack, holdBody, PASSWORD, type Person, type Target } from '../target.ts'

/** A second administrator, signed in. */
async function newAdministrator(target: Target, by: Person): Promise<Person> {
  const person = await target.newPerson()
  const made = await target.client.send('PATCH', `/api/v1/users/${person.id}`, {
    token: by.access_token,
    body: { role: 'admin' },
  })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  return requireStatus(200, await target.client.login({ email: person.email })).body.user
}

const roleOf = async ({ query }: Target, { id }: { id: string }) =>
  (await query(`select role from users where id = '${id}'`))[0]?.role

export const slowBodyAfterDemotion: Attack = {
  name: 'slow-body-after-demotion',
  title: 'an administrator demoted while sending a body cannot promote themself with it',
  quick: true,
  async run(target) {
    const owner = await target.administrator()
    const thief = await newAdministrator(target, owner)
    const held = await holdBody(target, 'PATCH', `/api/v1/users/${thief.id}`, thief.access_token, { role: 'admin' })
    const demoted = await target.client.send('PATCH', `/api/v1/users/${thief.id}`, {
      token: owner.access_token,
      body: { role: 'user' },
    })
    assert.equal(demoted.status, 200)
    const { status, text } = await held.finish()
    assert.ok(status === 401 || status === 403, text)
    assert.equal(await roleOf(target, thief), 'user')
  },
}

export const slowBodyAfterDeactivation: Attack = {
  name: 'slow-body-after-deactivation',
  title: 'an administrator deactivated while sending a body cannot promote others with it',
  quick: true,
  async run(target) {
    const owner = await target.administrator()
    const thief = await newAdministrator(target, owner)
    const accomplice = await target.newPerson()
    const held = await holdBody(target, 'PATCH', `/api/v1/users/${accomplice.id}`, thief.access_token, {
      role: 'admin',
    })
    const deactivated = await target.client.send('PATCH', `/api/v1/users/${thief.id}`, {
      token: owner.access_token,
      body: { is_active: false },
    })
    assert.equal(deactivated.status, 200)
    const { status, text } = await held.finish()
    assert.ok(status === 401 || status === 403, text)
    assert.equal(await roleOf(target, accomplice), 'user')
  },
}

export const slowBodyAfterLogout: Attack = {
  name: 'slow-body-after-logout',
  title: 'a change is refused when its session ended while the body was being sent',
  quick: true,
  async run(target) {
    const person = await target.newPerson()
    const held = await holdBody(target, 'PATCH', '/api/v1/auth/me', person.access_token, { name: 'The thief' })
    const { status: ended } = await target.client.post('/api/v1/auth/logout-all', { token: person.access_token })
    assert.equal(ended, 200)
    const { status, text } = await held.finish()
    assert.equal(status, 401, text)
    const [row] = await target.query(`select name from users where id = '${person.id}'`)
    assert.equal(row?.name, person.name)
  },
}

export const logoutThenCall: Attack = {
  name: 'logout-then-call',
  title: 'a request sent after the answer of a logout is refused',
  quick: true,
  async run(target) {
    const { email } = await target.newPerson()
    for (let n = 0; n < 20; n++) {
      const { access_token: token } = requireStatus(200, await target.client.login({ email })).body.user
      assert.equal((await target.client.me(token)).status, 200)
      assert.equal((await target.client.post('/api/v1/auth/logout', { token })).status, 200)
      assert.equal((await target.client.me(token)).status, 401)
    }
  },
}

export const pendingEmailChange: Attack = {
  name: 'pending-email-change',
  title: 'a pending change of email ends when an administrator changes the address',
  quick: true,
  async run(target) {
    const owner = await target.administrator()
    const victim = await target.newPerson()
    const mailbox = `thief-of-${victim.email}`
    const begun = await target.client.post('/api/v1/auth/change-email', {
      token: victim.access_token,
      body: { new_email: mailbox, password: PASSWORD },
    })
    assert.equal(begun.status, 200, JSON.stringify(begun.body))
    const [mail = ''] = await target.mailsTo(mailbox, 'change_email_confirm')
    const token = /token=([\w-]+)/.exec(mail)?.[1]
    assert.ok(token, mail)
    const path = `/api/v1/users/${victim.id}`
    const rescue = { token: owner.access_token, body: { email: `rescued-${victim.email}` } }
    assert.equal((await target.client.send('PATCH', path, rescue)).status, 200)
    await target.client.send('DELETE', `${path}/sessions`, { token: owner.access_token })
    const used = await target.client.post('/api/v1/auth/change-email/confirm', { body: { token } })
    assert.equal(used.status, 400, JSON.stringify(used.body))
    const [row] = await target.query(`select email from users where id = '${victim.id}'`)
    assert.equal(row?.email, `rescued-${victim.email}`)
  },
}
