import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LOCALES } from '../../../src/kernel/i18n/locale.ts'
import { oneLine, type RenderedMail } from '../../../src/kernel/mail/render.ts'
import { MAIL_KINDS, renderMail } from '../../../src/modules/emails/render.ts'
import type { MailData } from '../../../src/modules/emails/templates.ts'

const LINK = 'https://accounts.example.org/open?a=1&token=abc'
const at = '2026-11-22T12:00:00.000Z'
const origin = { device: 'Dart/3.5 (dart:io)', appType: 'android', appVersion: '1.4.0', ip: '2001:db8::7', at }

const DATA: { [K in keyof MailData]: Omit<MailData[K], 'name'> } = {
  verify_email: { link: LINK, validFor: 86_400 },
  reset_password: { link: LINK, validFor: 1800 },
  password_changed: { at },
  change_email_confirm: { link: LINK, validFor: 3600 },
  change_email_notice: { newEmail: 'anna@new.example' },
  email_changed: { newEmail: 'anna@new.example', at },
  new_sign_in: origin,
  account_deletion: { deleteAfter: at, link: LINK },
  account_deleted: {},
  session_ended_reuse: origin,
}

function eachMail(name: string, check: (mail: RenderedMail, label: string) => void) {
  for (const kind of MAIL_KINDS) {
    for (const locale of LOCALES) {
      check(renderMail(kind, locale, { ...DATA[kind], name } as MailData[typeof kind]), `${kind} ${locale}`)
    }
  }
}

describe('Emails', () => {
  test('exist in every kind and language, complete and without open placeholders', () => {
    assert.deepEqual([...MAIL_KINDS].sort(), Object.keys(DATA).sort())
    eachMail('Анна', ({ subject, text, html }, label) => {
      assert.match(subject, /^Bukhindor: \S/, label)
      const end = label.endsWith(' ru') ? '!' : ','
      assert.match(text, new RegExp(`^(Здравствуйте,|Hi) Анна${end}$`, 'm'), label)
      assert.ok(html.includes(` <span dir="auto">Анна</span>${end}`), label)
      assert.ok(html.trimEnd().endsWith('</html>'), label)
      for (const part of [subject, text, html])
        assert.doesNotMatch(part, /undefined|null|NaN|Invalid|\[object|<%/, label)
      assert.doesNotMatch(text, /\n{3}/, `${label}: no holes in the text`)
      assert.equal(html.includes('<html lang="ru">'), label.endsWith(' ru'))
    })
  })

  test('load nothing remote and run no code', () => {
    let links = 0
    eachMail('Анна', ({ html }, label) => {
      assert.doesNotMatch(html, /<(img|script|link|iframe|object|video|form)|url\(|@import|\son\w+=/i, label)
      for (const [, address] of html.matchAll(/https?:\/\/([^/"<]+)/g)) {
        assert.equal(address, 'accounts.example.org')
        links++
      }
    })
    assert.ok(links > 0)
  })

  test('have the link in the text as it is, and escaped in the HTML, on the button and to copy', () => {
    const { text, html } = renderMail('verify_email', 'ru', { name: 'Аня', link: LINK, validFor: 86_400 })
    assert.ok(text.split('\n').includes(LINK))
    assert.equal(html.split(`href="${LINK.replace('&', '&amp;')}"`).length, 3)
  })

  test('say in their language how long a link is valid', () => {
    const told = (locale: 'ru' | 'en', validFor: number) =>
      renderMail('reset_password', locale, { name: 'A', link: LINK, validFor }).text.replaceAll('\u00A0', ' ')
    assert.match(told('ru', 1800), /действует 30 минут /)
    assert.match(told('ru', 86_400), /действует 24 часа /)
    assert.match(told('en', 1800), /for 30 minutes and/)
    assert.match(told('en', 3600), /for 1 hour and/)
  })

  test('greet a name in any script and escape markup in it', () => {
    for (const [name, greeted] of [
      ['Ольга', 'Ольга'],
      ['أحمد', 'أحمد'],
      ['李小龍', '李小龍'],
      ['Zoë O’Brien', 'Zoë'],
      ['J. R. R. Tolkien', 'J. R. R. Tolkien'],
      ['👩‍🚀', '👩‍🚀'],
    ] as const) {
      assert.ok(renderMail('account_deleted', 'en', { name }).text.includes(`\nHi ${greeted},\n`), name)
    }
    eachMail('<b\u00adonclick="x()">&\'', ({ html }, label) => {
      assert.doesNotMatch(html, /<b\W?onclick/, label)
      assert.ok(html.includes('&lt;b\u00adonclick=&quot;x()&quot;&gt;&amp;&#39;'), label)
    })
  })

  test('leave out a name that is a link or an advertisement', () => {
    for (const name of [
      'Win at https://evil.example',
      'evil.example',
      'WWW.x',
      'me@evil.example',
      'x'.repeat(65),
      '',
    ]) {
      const { text, html } = renderMail('verify_email', 'en', { name, link: LINK, validFor: 60 })
      assert.match(text, /^Hi,$/m, name)
      assert.doesNotMatch(html, /evil/, name)
    }
  })

  test('remove line breaks and direction marks from the subject and the text', () => {
    const evil = 'Anna\r\nBcc: thief@evil\u2028\u202Eabc\u0000'
    const { text } = renderMail('new_sign_in', 'en', { ...origin, name: 'A\r\nB', device: evil })
    assert.match(text, /^Hi A B,$/m)
    assert.match(text, /^Device: Android app 1\.4\.0$/m)
    assert.doesNotMatch(text, /thief/)
    eachMail(evil, ({ subject }, label) => assert.doesNotMatch(subject, /[\p{Cc}\u2028\u202E]|thief/u, label))
    const { subject } = renderMail('account_deleted', 'en', { name: 'A' }, 'Brand\r\nBcc: thief@evil')
    assert.equal(subject, 'Brand Bcc: thief@evil: your account has been deleted')
    assert.equal(oneLine('a\uD800\tb '), 'a\uFFFD b')
  })

  test('leave out unknown and overlong details of a sign-in', () => {
    const { text } = renderMail('new_sign_in', 'ru', {
      name: 'Аня',
      at: Date.parse(at),
      ip: null,
      device: 'x'.repeat(5000),
    })
    assert.ok(text.includes('Устройство: Неизвестное устройство\n'))
    assert.doesNotMatch(text, /xxx/)
    assert.doesNotMatch(text, /IP-адрес/)
    assert.match(text, /Время: 22 ноября 2026 г\. в 12:00 UTC/)
    assert.match(
      renderMail('new_sign_in', 'en', { name: 'A', ...origin }).text,
      /Device: Android app 1\.4\.0\nIP address: 2001:db8::7/,
    )
  })

  test('show the old address only a masked form of the new one', () => {
    for (const kind of ['change_email_notice', 'email_changed'] as const) {
      const { text, html } = renderMail(kind, 'ru', { name: 'Аня', newEmail: 'anna@new.example', at })
      assert.ok(text.includes('a…@new.example'))
      assert.doesNotMatch(text + html, /anna@/)
    }
  })
})
