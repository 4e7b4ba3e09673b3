import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { MINUTE } from '../../../src/kernel/lib/clock.ts'
import { createAdmin, describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../../support/app.ts'
import { linkIn, mailTo, startSmtp, tokenIn } from '../../support/smtp.ts'
import { aucOf, chanceOf } from '../../support/statistics.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const RESET = /reset your password|сброс пароля/
const NEW = 'a different walk, in the rain'

describeOnEachEngine('A forgotten password', (engine) => {
  const app = useApp(engine, { env: smtp.env })
  const ask = (email: string) => app.api.post('/api/v1/auth/reset-password', { body: { email } })
  const confirm = (token: string, new_password = NEW) =>
    app.api.post('/api/v1/auth/reset-password/confirm', { body: { token, new_password } })
  const login = (email: string, password: string) => app.api.login({ email, password })
  const emailTo = (email: string) => smtp.waitFor(mailTo(email, RESET))
  const linkFor = async (email: string) => {
    assert.equal((await ask(email)).status, 200)
    return tokenIn(await emailTo(email))
  }

  test('is reset by the link in the email, which ends all sessions and verifies the address', async () => {
    const person = await register(app.api)
    const sessions = [await signIn(app.api, person), await signIn(app.api, person)]
    await ask(person.email.toUpperCase())
    assert.equal((await confirm(tokenIn(await emailTo(person.email)))).status, 200)
    for (const { access_token: token, refresh_token } of sessions) {
      assert.equal((await app.api.me(token)).body.reason, 'session_ended')
      const refreshed = await app.api.refresh(refresh_token)
      assert.equal(refreshed.body.reason, 'session_ended')
    }
    assert.equal((await login(person.email, PASSWORD)).body.reason, 'invalid_credentials')
    const { body } = await login(person.email, NEW)
    assert.equal(body.user.email_verified, true)
    await smtp.waitFor(mailTo(person.email, /password was changed/))
  })

  test('is reset on the page of the link, in the language of the person, with error messages', async () => {
    const person = await register(app.api, { email: `page.reset.${engine}@example.org`, name: 'Анна' })
    await app.services.operator.update(person.email, { locale: 'ru' })
    await ask(person.email)
    const link = linkIn(await emailTo(person.email))
    const url = app.url + link.pathname
    const get = () => fetch(url + link.search, { headers: { 'accept-language': 'en' } })
    const submit = (new_password: string, new_password_again = new_password) =>
      fetch(url, {
        method: 'POST',
        body: new URLSearchParams({ ...Object.fromEntries(link.searchParams), new_password, new_password_again }),
      })
    const page = await get()
    assert.equal(page.headers.get('cache-control'), 'no-store')
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/)
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer')
    assert.match(await page.text(), /Задайте новый пароль/)
    for (const [answer, told] of [
      [await submit(NEW, 'another'), /Пароли не совпадают/],
      [await submit('short'), /Не меньше 8 символов/],
      [await submit('password123'), /распространённый/],
      [await submit(person.email), /не должен состоять/],
    ] as const) {
      const text = await answer.text()
      assert.match(text, told)
      assert.match(text, /name="token"/, 'the link still works')
      assert.equal(answer.status, 400)
    }
    assert.match(await (await submit(NEW)).text(), /Пароль изменён/)
    assert.equal((await login(person.email, NEW)).status, 200)
    assert.equal((await get()).status, 400)
    assert.match(await (await submit(NEW)).text(), /Ссылка больше не действует/)
  })

  test('gets the same answer for known and unknown addresses, and only known ones an email', async () => {
    const { email } = await register(app.api)
    const [known, unknown] = [await ask(email), await ask('nobody@example.org')]
    assert.deepEqual(known.body, unknown.body)
    const names = ({ headers }: { headers: Headers }) => [...headers.keys()].sort()
    assert.deepEqual(names(known), names(unknown))
    await emailTo(email)
    assert.ok(!smtp.mails.some(mailTo('nobody@example.org')))
  })

  test('keeps the link valid when the new password is refused', async () => {
    const { email } = await register(app.api)
    const token = await linkFor(email)
    for (const password of ['short', 'password123', email, 'x'.repeat(129)]) {
      const answer = await confirm(token, password)
      assert.equal(answer.body.reason, 'password_refused', password)
      assert.equal(answer.body.fields[0].path, '/new_password')
    }
    assert.equal((await confirm(token)).status, 200)
  })

  test('is reset once by fifty parallel confirmations', async () => {
    const { email } = await register(app.api)
    const token = await linkFor(email)
    const passwords = Array.from({ length: 50 }, (_, number) => `${NEW} ${number}`)
    const answers = await Promise.all(passwords.map((password) => confirm(token, password)))
    const winners = passwords.filter((_, number) => answers[number]?.status === 200)
    assert.equal(winners.length, 1)
    for (const { body } of answers) assert.ok(['link_invalid', undefined].includes(body.reason), body.reason)
    assert.equal((await login(email, winners[0] as string)).status, 200)
  })

  test('is not reset by an expired, replaced, truncated or other link', async () => {
    const person = await register(app.api)
    const welcome = tokenIn(await smtp.waitFor(mailTo(person.email)))
    const first = await linkFor(person.email)
    await ask(person.email)
    const second = tokenIn(await smtp.waitFor((mail) => mailTo(person.email, RESET)(mail) && tokenIn(mail) !== first))
    for (const token of [welcome, first, second.slice(0, -1), `${second} `, '', 'null'])
      assert.equal((await confirm(token)).status, 400, token)
    assert.equal(
      (await app.api.post('/api/v1/auth/verify-email', { body: { token: second } })).body.reason,
      'link_invalid',
    )
    app.clock.advance(31 * MINUTE)
    assert.equal((await confirm(second)).body.reason, 'link_invalid')
    assert.equal((await login(person.email, PASSWORD)).status, 200)
  })

  test('is not reset by a link after a change of address or password, or the end of the account', async () => {
    const changes: Record<string, (email: string) => Promise<unknown>> = {
      address: (email) => app.services.operator.update(email, { email: `other.${email}` }),
      password: (email) => app.services.operator.setPassword(email, 'what the administrator has set'),
      deactivation: (email) => app.services.operator.update(email, { is_active: false }),
      deletion: (email) => app.services.operator.remove(email),
    }
    for (const [name, change] of Object.entries(changes)) {
      const { email } = await register(app.api)
      const token = await linkFor(email)
      await change(email)
      assert.equal((await confirm(token)).body.reason, 'link_invalid', name)
    }
  })

  test('is not reset for a deactivated user', async () => {
    const { email } = await register(app.api)
    await app.services.operator.update(email, { is_active: false })
    assert.equal((await ask(email)).status, 200)
    const other = await register(app.api)
    await linkFor(other.email)
    assert.ok(!smtp.mails.some(mailTo(email, RESET)))
  })

  test('can be set by an invited user, whose link the administrator can send but not see', async () => {
    const admin = await signIn(app.api, await createAdmin(app.services))
    const email = `invited.${engine}@example.org`
    const { id } = await app.services.operator.create({ email, name: 'Invited' })
    const first = tokenIn(await emailTo(email))
    const path = `/api/v1/users/${id}/reset-password`
    const answer = await app.api.post(path, { token: admin.access_token })
    assert.equal(answer.status, 200)
    assert.doesNotMatch(JSON.stringify(answer.body), /token/)
    const second = tokenIn(await smtp.waitFor((mail) => mailTo(email, RESET)(mail) && tokenIn(mail) !== first))
    assert.equal((await confirm(first)).body.reason, 'link_invalid')
    assert.equal((await confirm(second)).status, 200)
    assert.equal((await login(email, NEW)).status, 200)
    const person = await signIn(app.api, await register(app.api))
    assert.equal((await app.api.post(path, { token: person.access_token })).status, 403)
  })

  test('does not reveal by timing whether an address is known', async (t) => {
    const people = await Promise.all(Array.from({ length: 5 }, () => register(app.api)))
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] }
    const lane = async (lane: number) => {
      for (let round = 0; round < 48; round++) {
        const kind = (round + lane) % 2 ? 'known' : 'unknown'
        const address = kind === 'known' ? (people[lane]?.email ?? '') : `nobody-${lane}-${round}@example.org`
        const start = performance.now()
        assert.equal((await ask(address)).status, 200)
        times[kind].push(performance.now() - start)
        // Three in a quarter of an hour are let through for each address.
        if (round % 4 === 3 && lane === 0) app.clock.advance(16 * MINUTE)
      }
    }
    await Promise.all(people.map((_, number) => lane(number)))
    const auc = aucOf(times.known, times.unknown)
    t.diagnostic(`AUC ${auc.toFixed(3)}`)
    assert.ok(Math.abs(auc - 0.5) < chanceOf(times.known.length), `AUC ${auc.toFixed(3)}`)
  })
})
