import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { LOCALES, type Locale } from '../../src/kernel/i18n/locale.ts'
import { MAIL_KINDS } from '../../src/modules/emails/render.ts'
import { PASSWORD, signIn, useApp } from '../support/app.ts'
import { complaintsOf, overflowOf, startBrowser, withoutBrowser } from '../support/browser.ts'
import { linkIn, mailTo, type ReceivedMail, startSmtp } from '../support/smtp.ts'

const smtp = await startSmtp()
after(() => smtp.stop())

const NEW = 'a different walk, in the rain'
const PHONE = { width: 360, height: 740 }
/** Where to leave pictures of every page and mail, for people to look at. */
const PICTURES = process.env.TEST_PICTURES

describe('On a phone without JavaScript', { skip: withoutBrowser }, () => {
  const app = useApp('sqlite', { env: smtp.env })
  let browser: Browser
  before(async () => {
    browser = await startBrowser()
  })
  after(() => browser?.close())

  /** A page of somebody whose browser speaks the other language than they do. */
  async function open(locale: Locale, colorScheme: 'light' | 'dark') {
    const context = await browser.newContext({
      viewport: PHONE,
      javaScriptEnabled: false,
      locale: locale === 'ru' ? 'en-GB' : 'ru-RU',
      colorScheme,
    })
    const page = await context.newPage()
    return { page, complaints: complaintsOf(page, app.url), close: () => context.close() }
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (PICTURES) await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true })
  }

  for (const locale of LOCALES)
    test(`every link in an email can be followed to its end, in ${locale}`, async () => {
      const { page, complaints, close } = await open(locale, locale === 'ru' ? 'dark' : 'light')
      let step = 0
      const look = async (name: string) => {
        assert.equal(await page.getAttribute('html', 'lang'), locale, name)
        assert.equal(await overflowOf(page), 0, name)
        await picture(page, `page-${locale}-${++step}-${name}`)
      }
      const follow = async (mail: ReceivedMail, name: string) => {
        const link = linkIn(mail)
        await page.goto(app.url + link.pathname + link.search)
        await look(name)
      }
      const press = async (name: string) => {
        await page.click('button')
        await look(name)
      }
      const headline = (kind: string) => page.locator(`h1.${kind}`).count()

      const email = `browser.${locale}@example.org`
      const body = { email, password: PASSWORD, name: locale === 'ru' ? 'Анна Каренина' : 'Anna Karenina', locale }
      await app.api.register(body)
      const welcome = await smtp.waitFor(mailTo(email))
      await follow(welcome, 'verify')
      await press('verified')
      assert.equal(await headline('done'), 1)
      await follow(welcome, 'verify-again')
      assert.equal(await headline('failed'), 1)

      await app.api.post('/api/v1/auth/reset-password', { body: { email } })
      await follow(await smtp.waitFor(mailTo(email, /сброс пароля|reset your password/)), 'reset')
      await page.fill('#new_password', 'password123')
      await page.fill('#new_password_again', 'password123')
      await press('reset-refused')
      assert.equal(await page.locator('[role=alert] li').count(), 1)
      await page.fill('#new_password', NEW)
      await page.fill('#new_password_again', `${NEW}!`)
      await press('reset-mismatch')
      assert.equal(await page.locator('[role=alert] li').count(), 1)
      await page.fill('#new_password', NEW)
      await page.fill('#new_password_again', NEW)
      await page.keyboard.press('Enter')
      await page.waitForSelector('h1.done')
      await look('reset-done')

      let { access_token: token } = await signIn(app.api, { email, password: NEW })
      const new_email = `browser.new.${locale}@example.org`
      await app.api.post('/api/v1/auth/change-email', { token, body: { new_email, password: NEW } })
      await follow(await smtp.waitFor(mailTo(new_email)), 'address')
      await press('address-changed')
      assert.equal(await headline('done'), 1)

      token = (await signIn(app.api, { email: new_email, password: NEW })).access_token
      await app.api.delete('/api/v1/auth/me', { token, body: { password: NEW } })
      await follow(await smtp.waitFor(mailTo(new_email, /будет удалён|will be deleted/)), 'undo')
      await press('undone')
      assert.equal(await headline('done'), 1)
      await signIn(app.api, { email: new_email, password: NEW })
      // The browser itself tells of answers that are errors; of nothing else.
      const own = complaints.filter((line) => !/Failed to load resource.* (400|422)/.test(line))
      assert.deepEqual(own, [])
      await close()
    })

  test('every email fits the screen in light and dark and loads nothing', async () => {
    const at = '2026-11-22T12:00:00.000Z'
    const link = `https://accounts.example.org/verify-email?token=${'a1B2-'.repeat(9).slice(0, 43)}&lang=ru`
    const data = {
      ...{
        link,
        validFor: 1800,
        at,
        deleteAfter: at,
        ip: '2001:db8:1234:5678:9abc:def0:1234:5678',
        appType: 'android',
      },
      newEmail: 'a.rather.long.address.of.somebody@subdomain.of.some.example.org',
      device:
        'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36',
    }
    const { database, outbox } = app.services
    await database.transaction(async (trx) => {
      for (const locale of LOCALES)
        for (const kind of MAIL_KINDS)
          await outbox.put(trx, {
            kind,
            locale,
            to: `${kind}.${locale}@example.org`,
            userId: null,
            data: { ...data, name: 'Анна-Мария Каренина <Облонская>' },
          })
    })
    for (const locale of LOCALES)
      for (const colorScheme of ['light', 'dark'] as const) {
        const { page, complaints, close } = await open(locale, colorScheme)
        for (const kind of MAIL_KINDS) {
          const mail = await smtp.waitFor(mailTo(`${kind}.${locale}@example.org`))
          await page.setContent(mail.html || '')
          assert.equal(await overflowOf(page), 0, `${kind} ${locale}`)
          await picture(page, `mail-${locale}-${kind}-${colorScheme}`)
        }
        assert.deepEqual(complaints, [])
        await close()
      }
  })

  test('a password is shown on request, where there is JavaScript, and never kept as text', async () => {
    const email = 'browser.shown@example.org'
    await app.api.post('/api/v1/auth/register', { body: { email, password: PASSWORD, name: 'Anna', locale: 'en' } })
    await app.api.post('/api/v1/auth/reset-password', { body: { email } })
    const { pathname, search } = linkIn(await smtp.waitFor(mailTo(email, /reset your password/)))
    const context = await browser.newContext({ viewport: PHONE })
    const page = await context.newPage()
    const complaints = complaintsOf(page, app.url)
    await page.goto(app.url + pathname + search)
    assert.equal(await page.locator('.account bdi').textContent(), email)
    const types = () => page.locator('[name^=new_password]').evaluateAll((fields) => fields.map((field) => field.type))
    assert.deepEqual(await types(), ['password', 'password'])
    await page.getByLabel('Show password').check()
    assert.deepEqual(await types(), ['text', 'text'])
    await picture(page, 'page-en-reset-shown')
    await page.fill('#new_password', NEW)
    await page.fill('#new_password_again', NEW)
    await page.evaluate("addEventListener('submit', (event) => event.preventDefault())")
    await page.click('button')
    assert.deepEqual(await types(), ['password', 'password'])
    assert.deepEqual(complaints, [])
    await context.close()
  })
})
