import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { DAY, MINUTE } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../../support/app.ts'
import { linkIn, mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const WELCOME = /подтвердите e-mail|confirm your e-mail/

describeOnEachEngine('Email verification', (engine) => {
  const app = useApp(engine, { env: smtp.env })
  const verify = (token: string) => app.api.post('/api/v1/auth/verify-email', { body: { token } })
  const isVerified = async (token: string) => (await app.api.me(token)).body.email_verified
  const emailTo = (email: string) => smtp.waitFor(mailTo(email, WELCOME))

  test('needs the button on the page of the link; opening the page changes nothing', async () => {
    const person = await register(app.api, { email: `page.${engine}@example.org` })
    const { access_token } = await signIn(app.api, person)
    const link = linkIn(await emailTo(person.email))
    assert.equal(link.origin + link.pathname, 'https://api.example.org/verify-email')
    const open = (init?: RequestInit) => fetch(app.url + link.pathname + link.search, init)
    for (const method of ['GET', 'HEAD', 'GET']) assert.equal((await open({ method })).status, 200)
    assert.equal(await isVerified(access_token), false)

    const form = { token: tokenIn({ text: link.href }), lang: 'ru' }
    const submit = () => open({ method: 'POST', body: new URLSearchParams(form) })
    const done = await submit()
    assert.equal(done.status, 200)
    assert.match(await done.text(), /<h1 class="done">E-mail подтверждён<\/h1>/)
    assert.equal(await isVerified(access_token), true)
    assert.equal((await submit()).status, 400)
    const again = await open()
    assert.equal(again.status, 400)
    assert.match(await again.text(), /This link is no longer valid/)
  })

  test('accepts only the form of its own page', async () => {
    const post = (init: RequestInit) => fetch(`${app.url}/verify-email`, { method: 'POST', ...init })
    const json = { 'content-type': 'application/json' }
    for (const body of ['{"token":{}}', '{"token":["a"]}', '{"token":1,"lang":{}}', 'null'])
      assert.equal((await post({ headers: json, body })).status, 415, body)
    for (const body of ['', 'token=', 'token=a&token=b', 'token[a]=b', '%', `token=${'x'.repeat(50_000)}`])
      assert.equal((await post({ body: new URLSearchParams(body) })).status, 400, body.slice(0, 20))
    assert.equal((await post({})).status, 415)
    for (const query of ['', '?token=', '?token=a&token=b', '?token[]=a', '?token=%00', '?lang=xx&lang=ru'])
      assert.equal((await fetch(`${app.url}/reset-password${query}`)).status, 400, query)
  })

  test('works once through the API, and only with the right token', async () => {
    const person = await register(app.api)
    const token = tokenIn(await emailTo(person.email))
    for (const wrong of [token.slice(0, -1), `${token}A`, token.toUpperCase(), 'x', 'A'.repeat(200)])
      assert.equal((await verify(wrong)).body.reason, 'link_invalid', wrong)
    assert.equal((await verify(token)).status, 200)
    assert.equal((await verify(token)).body.reason, 'link_invalid')
  })

  test('replaces the previous link with a new one', async () => {
    const person = await register(app.api)
    const { access_token: token } = await signIn(app.api, person)
    const first = tokenIn(await emailTo(person.email))
    assert.equal((await app.api.post('/api/v1/auth/verify-email/resend', { token })).status, 200)
    const second = tokenIn(await smtp.waitFor((mail) => mailTo(person.email)(mail) && tokenIn(mail) !== first))
    assert.equal((await verify(first)).body.reason, 'link_invalid')
    assert.equal((await verify(second)).status, 200)
    const count = () => smtp.mails.filter(mailTo(person.email)).length
    const before = count()
    assert.equal((await app.api.post('/api/v1/auth/verify-email/resend', { token })).status, 200)
    await register(app.api, { email: `after.${engine}@example.org` })
    await emailTo(`after.${engine}@example.org`)
    assert.equal(count(), before, 'nothing is sent to whoever is verified')
  })

  test('accepts a link for a day', async () => {
    const [early, late] = [await register(app.api), await register(app.api)]
    const [first, second] = [tokenIn(await emailTo(early.email)), tokenIn(await emailTo(late.email))]
    app.clock.advance(DAY - MINUTE)
    assert.equal((await verify(first)).status, 200)
    app.clock.advance(2 * MINUTE)
    assert.equal((await verify(second)).body.reason, 'link_invalid')
  })

  test('refuses a link to a former address of the account', async () => {
    const person = await register(app.api)
    const token = tokenIn(await emailTo(person.email))
    await app.services.operator.update(person.email, { email: `corrected.${engine}@example.org` })
    assert.equal((await verify(token)).body.reason, 'link_invalid')
  })

  test('is sent in the language of the person, as text and HTML, marked as automatic', async () => {
    for (const [language, subject] of [
      ['ru', 'Bukhindor: подтвердите e-mail'],
      ['en', 'Bukhindor: confirm your e-mail'],
    ] as const) {
      const email = `${language}.${engine}@example.org`
      const body = { email, password: PASSWORD, name: 'Анна' }
      await app.api.register(body, { headers: { 'accept-language': language } })
      const mail = await emailTo(email)
      assert.equal(mail.subject, subject)
      assert.equal(mail.headers.get('auto-submitted'), 'auto-generated')
      assert.equal(mail.headers.get('list-unsubscribe'), undefined)
      assert.equal(mail.from?.text, '"Bukhindor" <no-reply@example.org>')
      assert.match(mail.messageId ?? '', /^<[0-9a-f-]{36}@example\.org>$/)
      assert.ok(mail.html && mail.text?.includes('Анна'))
      assert.equal(linkIn(mail).searchParams.get('lang'), language)
    }
  })

  test('never puts the Host header of a request into a link', async () => {
    const { email } = await register(app.api)
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    await app.api.post('/api/v1/auth/reset-password', { body: { email }, headers })
    const mail = await smtp.waitFor(mailTo(email, /reset|сброс/))
    assert.equal(linkIn(mail).origin, 'https://api.example.org')
    assert.doesNotMatch(mail.source, /evil/)
  })
})

describeOnEachEngine('Where a verified email is required', (engine) => {
  const app = useApp(engine, { env: { ...smtp.env, REQUIRE_VERIFIED_EMAIL: 'true', APP_LINK_URL: 'bukhindor://open' } })

  test('a sign-in before it is refused with a reason, and sends a new link when the old one has expired', async () => {
    const { email } = await register(app.api)
    const attempt = (password = PASSWORD) => app.api.login({ email, password })
    const first = tokenIn(await smtp.waitFor(mailTo(email)))
    assert.equal((await attempt('something else')).body.reason, 'invalid_credentials')
    const refused = await attempt()
    assert.deepEqual([refused.status, refused.body.reason], [403, 'email_not_verified'])
    app.clock.advance(11 * MINUTE)
    await attempt()
    const mail = await smtp.waitFor((mail) => mailTo(email)(mail) && tokenIn(mail) !== first)
    assert.match(linkIn(mail).href, /^bukhindor:\/\/open\/verify-email\?token=[\w-]{43}&lang=en$/)
    const answer = await app.api.post('/api/v1/auth/verify-email', { body: { token: tokenIn(mail) } })
    assert.equal(answer.status, 200)
    assert.equal((await attempt()).status, 200)
    assert.equal(smtp.mails.filter(mailTo(email)).length, 2)
  })
})

describe('Hostile names and addresses', () => {
  const app = useApp('sqlite', { env: smtp.env })

  test('add no recipients and no header fields', async () => {
    for (const email of [
      'a@example.org\r\nBcc: b@example.org',
      'a@example.org, b@example.org',
      '<a@example.org>',
      'a b@c.de',
    ])
      assert.equal((await app.api.register({ email, name: 'A' })).status, 400, email)
    for (const [number, name] of ['"Anna" <b@example.org>', '=?utf-8?q?A?=', "'; drop", 'Ан\u00adна'].entries()) {
      const { email } = await register(app.api, { email: `o'hara+${number}@example.org`, name })
      const mail = await smtp.waitFor(mailTo(email))
      assert.deepEqual(mail.recipients, [email])
      assert.equal(mail.headers.get('bcc') ?? mail.headers.get('cc'), undefined)
    }
  })

  test('reach the mail server as IDNA and UTF-8 in any script', async () => {
    const { email } = await register(app.api, { email: 'почта@пример.рф' })
    const mail = await smtp.waitFor(({ recipients }) => recipients.some((to) => /почта|xn--/.test(to)))
    assert.ok(mail.recipients[0]?.endsWith('@xn--e1afmkfd.xn--p1ai') || mail.recipients[0] === email)
  })
})
