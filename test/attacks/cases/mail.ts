import assert from 'node:assert/strict'
import { type Attack, newAddress, PASSWORD, type Target } from '../target.ts'

const LURE = 'Security team: confirm at https://evil.example/login'

/** Signs in `times` times, each as another device with text of the attacker. */
async function signInAsMany({ client }: Target, email: string, times: number): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: times }, (_, n) =>
      client.login(
        { email },
        { headers: { 'user-agent': `${LURE}?${n}`, 'x-device-id': `device-${n}`, 'x-forwarded-for': newAddress() } },
      ),
    ),
  )
  assert.ok(answers.some(({ status }) => status === 200))
}

/** The notices to an address. Each is written in the transaction of its sign-in. */
const noticesTo = ({ query }: Target, email: string) =>
  query(`select id from outbox where recipient = '${email}' and kind = 'new_sign_in'`)

export const mailboxFlood: Attack = {
  name: 'mailbox-flood',
  title: 'sign-ins send no notices to an unverified address',
  quick: true,
  async run(target) {
    const { email } = await target.newPerson()
    await signInAsMany(target, email, 10)
    assert.equal((await noticesTo(target, email)).length, 0)
  },
}

export const verifiedMailboxFlood: Attack = {
  name: 'verified-mailbox-flood',
  title: 'a verified address gets a limited number of notices, without text from the client',
  quick: true,
  async run(target) {
    const { email, id } = await target.newPerson()
    const { access_token: token } = await target.administrator()
    await target.client.send('PATCH', `/api/v1/users/${id}`, { token, body: { email_verified: true } })
    await signInAsMany(target, email, 30)
    const notices = await noticesTo(target, email)
    assert.ok(notices.length >= 1 && notices.length <= 20, `${notices.length} notices`)
    for (const text of await target.mailsTo(email, 'new_sign_in')) assert.doesNotMatch(text, /evil|Security team/)
  },
}

export const nameInMail: Attack = {
  name: 'name-in-mail',
  title: 'a name that looks like a link is left out of emails to an unverified address',
  quick: true,
  async run(target) {
    for (const [n, name] of [
      'You won! Go to evil.example',
      'Claim at evil。com now',
      'https://evil.example/x',
    ].entries()) {
      const email = `stranger-${n}-${target.engine}-${Date.now()}@example.org`
      const body = { email, password: PASSWORD, name }
      assert.equal((await target.client.register(body)).status, 201)
      const [text = ''] = await target.mailsTo(email, 'verify_email')
      assert.ok(text.length > 50)
      assert.doesNotMatch(text, /evil/, name)
    }
  },
}
