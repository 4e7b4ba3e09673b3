import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { DAY, MINUTE } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, register, registerVerified, signIn, useApp } from '../../support/app.ts'
import { linkIn, mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const NEW = 'a different walk, in the rain'
const RESET = /reset your password/
const NEW_ADDRESS = /confirm your new address/

describeOnEachEngine('A password change', (engine) => {
  const app = useApp(engine, { env: smtp.env })
  const change = (token: string, current_password: string, new_password: string) =>
    app.api.post('/api/v1/auth/change-password', { token, body: { current_password, new_password } })

  test('ends the other sessions, keeps this one and sends a notice', async () => {
    const person = await registerVerified(app)
    const [here, there] = [await signIn(app.api, person), await signIn(app.api, person)]
    assert.equal((await change(here.access_token, PASSWORD, NEW)).status, 200)
    assert.equal((await app.api.me(here.access_token)).status, 200)
    assert.equal((await app.api.me(there.access_token)).body.reason, 'session_ended')
    const refreshed = await app.api.refresh(here.refresh_token)
    assert.equal(refreshed.status, 200)
    const mail = await smtp.waitFor(mailTo(person.email, /password was changed/))
    assert.doesNotMatch(mail.source, /https?:\/\//, 'such a mail has no link that could be imitated')
    await signIn(app.api, { email: person.email, password: NEW })
  })

  test('is refused with a wrong current password, the same password or a bad one, and changes nothing', async () => {
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    const wrong = await change(token, 'not the password', NEW)
    assert.deepEqual([wrong.status, wrong.body.reason], [403, 'password_wrong'])
    const password = 'тихий вечер у реки'
    const writer = await register(app.api, { password })
    const other = await signIn(app.api, writer)
    for (const form of ['NFC', 'NFD']) {
      const same = await change(other.access_token, password, password.normalize(form))
      assert.deepEqual([same.body.reason, same.body.fields?.[0].reason], ['password_refused', 'same_password'], form)
    }
    const common = (await change(token, PASSWORD, 'password123')).body
    assert.equal(common.fields[0].reason, 'too_common')
    assert.equal(common.error, 'Please choose a different password. This password is too common.')
    assert.equal((await change(token, PASSWORD, person.email)).body.fields[0].reason, 'personal')
    await signIn(app.api, person)
  })

  test('invalidates links requested before', async () => {
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    await app.api.post('/api/v1/auth/reset-password', { body: { email: person.email } })
    const body = { new_email: `thief.password.${engine}@example.org`, password: PASSWORD }
    assert.equal((await app.api.post('/api/v1/auth/change-email', { token, body })).status, 200)
    const reset = tokenIn(await smtp.waitFor(mailTo(person.email, RESET)))
    const address = tokenIn(await smtp.waitFor(mailTo(body.new_email, NEW_ADDRESS)))
    assert.equal((await change(token, PASSWORD, NEW)).status, 200)
    const answers = [
      await app.api.post('/api/v1/auth/reset-password/confirm', { body: { token: reset, new_password: PASSWORD } }),
      await app.api.post('/api/v1/auth/change-email/confirm', { body: { token: address } }),
    ]
    assert.deepEqual(
      answers.map(({ body }) => body.reason),
      ['link_invalid', 'link_invalid'],
    )
  })

  test('succeeds once when requested twice in parallel', async () => {
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    const answers = await Promise.all([change(token, PASSWORD, `${NEW} 1`), change(token, PASSWORD, `${NEW} 2`)])
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403])
  })
})

describeOnEachEngine('An email change', (engine) => {
  const app = useApp(engine, { env: smtp.env })
  const ask = (token: string, new_email: string, password = PASSWORD) =>
    app.api.post('/api/v1/auth/change-email', { token, body: { new_email, password } })
  const confirm = (token: string) => app.api.post('/api/v1/auth/change-email/confirm', { body: { token } })
  const me = async (token: string) => (await app.api.me(token)).body
  const linkTo = async (email: string) => tokenIn(await smtp.waitFor(mailTo(email, NEW_ADDRESS)))

  test('asks the new address, notifies the old one, and is confirmed by the link', async () => {
    const person = await registerVerified(app)
    const { access_token: token } = await signIn(app.api, person)
    const address = `New.${engine}@Example.org`
    assert.equal((await ask(token, address)).status, 200)
    const notice = await smtp.waitFor(mailTo(person.email, /change of your address was requested/))
    assert.match(notice.text ?? '', /N…@Example.org/)
    assert.doesNotMatch(notice.source, new RegExp(`New.${engine}|token=`))
    assert.equal((await me(token)).email, person.email, 'nothing has changed yet')

    assert.equal((await confirm(await linkTo(address))).status, 200)
    const user = await me(token)
    assert.deepEqual([user.email, user.email_verified], [address, true])
    await smtp.waitFor(mailTo(person.email, /your address was changed/))
    await signIn(app.api, { email: address })
    const old = await app.api.login({ email: person.email })
    assert.equal(old.body.reason, 'invalid_credentials')
    await register(app.api, { email: person.email })
  })

  test('can be confirmed on the page of the link', async () => {
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    const address = `page.address.${engine}@example.org`
    await ask(token, address)
    const link = linkIn(await smtp.waitFor(mailTo(address, NEW_ADDRESS)))
    const page = await fetch(app.url + link.pathname + link.search)
    assert.match(await page.text(), /Confirm your new address/)
    const done = await fetch(app.url + link.pathname, { method: 'POST', body: link.searchParams })
    assert.match(await done.text(), /Address changed/)
    assert.equal((await me(token)).email, address)
  })

  test('is refused with a wrong password, to a taken address and to the same address', async () => {
    const [person, other] = [await register(app.api), await register(app.api)]
    const { access_token: token } = await signIn(app.api, person)
    assert.equal((await ask(token, 'x@example.org', 'not the password')).body.reason, 'password_wrong')
    assert.equal((await ask(token, other.email.toUpperCase())).body.reason, 'email_taken')
    assert.equal((await ask(token, person.email)).body.fields[0].reason, 'same_email')
  })

  test('fails at the confirmation when the address was taken meanwhile, and the link stays valid', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    const address = `soon.taken.${engine}@example.org`
    await ask(token, address)
    const link = await linkTo(address)
    const other = await register(app.api, { email: address })
    assert.equal((await confirm(link)).body.reason, 'email_taken')
    const page = await fetch(`${app.url}/change-email`, { method: 'POST', body: new URLSearchParams({ token: link }) })
    assert.equal(page.status, 409)
    assert.match(await page.text(), /role="alert"/)
    await app.services.operator.remove(other.email)
    assert.equal((await confirm(link)).status, 200)
  })

  test('is allowed when only the case of letters changes', async () => {
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    const shouted = person.email.toUpperCase()
    assert.equal((await ask(token, shouted)).status, 200)
    assert.equal((await confirm(await linkTo(shouted))).status, 200)
    assert.equal((await me(token)).email, shouted)
  })

  test('by an administrator notifies the old address and asks the new one', async () => {
    const person = await registerVerified(app)
    const email = `corrected.by.admin.${engine}@example.org`
    await app.services.operator.update(person.email, { email })
    await smtp.waitFor(mailTo(person.email, /your address was changed/))
    const token = tokenIn(await smtp.waitFor(mailTo(email, /confirm your e-mail/)))
    assert.equal((await app.api.post('/api/v1/auth/verify-email', { body: { token } })).status, 200)
  })

  test('succeeds once in parallel; a link is valid for a day and replaced by the next', async () => {
    const { access_token: token } = await signIn(app.api, await register(app.api))
    const [first, second] = [`first.${engine}@example.org`, `second.${engine}@example.org`]
    await ask(token, first)
    const replaced = await linkTo(first)
    await ask(token, second)
    const link = await linkTo(second)
    assert.equal((await confirm(replaced)).body.reason, 'link_invalid')
    const answers = await Promise.all(Array.from({ length: 10 }, () => confirm(link)))
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    await ask(token, first)
    const late = tokenIn(await smtp.waitFor((mail) => mailTo(first, NEW_ADDRESS)(mail) && tokenIn(mail) !== replaced))
    app.clock.advance(DAY + MINUTE)
    assert.equal((await confirm(late)).body.reason, 'link_invalid')
  })
})

describeOnEachEngine('A sign-in from a new device', (engine) => {
  const app = useApp(engine, { env: smtp.env })
  const phone = { 'x-app-type': 'ios', 'user-agent': 'Bukhindor/1.4 (iPhone)' }
  const tablet = { 'x-app-type': 'android', 'x-app-version': '1.4' }
  const SUBJECT = /sign-in from a new device/

  test('sends a notice with its details; the first sign-in and known devices send none', async () => {
    const person = await registerVerified(app)
    const tokens = new Map<unknown, string>()
    for (const device of [phone, phone, tablet, tablet, phone]) {
      const known = tokens.get(device)
      const user = await signIn(app.api, person, { ...device, ...(known && { 'x-device-token': known }) })
      tokens.set(device, user.device_token)
    }
    const mail = await smtp.waitFor(mailTo(person.email, SUBJECT))
    assert.match(mail.text ?? '', /Device: Android app 1\.4\nIP address: 127\.0\.0\.1\nTime: .+ UTC/)
    await app.api.login({ email: person.email, password: 'wrong one' }, { headers: {} })
    await register(app.api, { email: `after.devices.${engine}@example.org` })
    await smtp.waitFor(mailTo(`after.devices.${engine}@example.org`))
    assert.equal(smtp.mails.filter(mailTo(person.email, SUBJECT)).length, 1)
  })

  test('sends a notice, as the reuse of a refresh token does', async () => {
    const person = await registerVerified(app)
    const { refresh_token } = await signIn(app.api, person, phone)
    const refresh = (token: string) => app.api.refresh(token, { headers: tablet })
    const next = (await refresh(refresh_token)).body.user.refresh_token
    await refresh(next)
    app.clock.advance(MINUTE)
    assert.equal((await refresh(refresh_token)).body.reason, 'refresh_reused')
    const mail = await smtp.waitFor(mailTo(person.email, /ended for your security/))
    assert.match(mail.text ?? '', /Device: Android app 1\.4/)
  })
})
