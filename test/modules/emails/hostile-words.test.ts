import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { LOCALES } from '../../../src/kernel/i18n/locale.ts'
import { describeDevice } from '../../../src/modules/emails/devices.ts'
import { greetingName, plainName } from '../../../src/modules/emails/names.ts'
import { renderMail } from '../../../src/modules/emails/render.ts'
import { describeOnEachEngine, PASSWORD, register, registerVerified, signIn, useApp } from '../../support/app.ts'
import { mailTo, startSmtp } from '../../support/smtp.ts'

const at = '2026-11-22T12:00:00.000Z'

/** Addresses and numbers as somebody writes them who wants them to be followed, and not to be recognised. */
const LINKS = [
  'evil.com',
  'evil。com',
  'evil．com',
  'evil｡com',
  'evil․com',
  'evil·com',
  'evilꓸcom',
  'ｅｖｉｌ．ｃｏｍ',
  'evil .com',
  'evil. com',
  'evil[.]com',
  'evil(.)com',
  'evil[dot]com',
  'evil (точка) com',
  'evil dot com',
  'evil точка ру',
  'https://evil',
  'hxxp evil',
  'hxxps://evil[.]com',
  'www evil',
  't.me/x',
  't․me∕x',
  't\\me',
  'x@evil',
  'пример.рф',
  'xn--e1afmkfd.xn--p1ai',
  'ev\u200Bil.\u2060com',
  'ev\u00ADil\u200D.com',
  'evil.\u0301com',
  'tel:900',
  '+7 900 123-45-67',
  '８ ９００ １２３ ４５ ６７',
  '٠١٢٣٤٥٦٧٨٩',
  '①②③④⑤⑥',
]
const SENTENCES = [
  'Your account is locked',
  'You won, call now',
  'you have won',
  'YOU HAVE WON',
  'Call me!',
  'Urgent: sign in',
  'Click Here To Win',
  'Visit Evil Com',
  'ClickHereNowToWin',
  'Ваш аккаунт взломан',
  'срочно позвоните нам',
  'Вы выиграли приз, звоните',
  '您的账户已被锁定请联系我们',
  'アカウントがロックされました',
  'บัญชีของคุณถูกล็อคแล้ว',
  'Anna <b>now</b>',
  'Anna\nBcc: x',
  'A'.repeat(41),
  '👩‍🚀',
  '!!!',
]
const NAMES = [
  'Анна',
  'Анна Каренина',
  'Анна Аркадьевна Каренина',
  'анна',
  'ANNA',
  'Anna',
  'Zoë O’Brien',
  "D'Artagnan",
  'Mary-Jane Watson',
  'J. R. R. Tolkien',
  'А. С. Пушкин',
  'Leonardo da Vinci',
  'María del Carmen López',
  'Ronald McDonald',
  'Đặng Văn Lâm',
  'Ειρήνη Παπαδοπούλου',
  'أحمد محمد',
  'דנה כהן',
  'अनिता शर्मा',
  '李小龍',
  '田中さくら',
  '김민준',
]

describe('A name in an email', () => {
  test('that could be a link or a phone number is left out', () => {
    for (const link of LINKS)
      for (const name of [link, `Anna ${link}`, `${link} Anna`, `Win at ${link} now`]) {
        assert.equal(greetingName(name), undefined, name)
        assert.equal(plainName(name), '', name)
      }
  })

  test('that is a sentence is left out for an unverified address', () => {
    for (const name of SENTENCES) assert.equal(plainName(name), '', name)
  })

  test('that is a name is shown', () => {
    for (const name of NAMES) {
      assert.equal(plainName(name), name)
      const greeted = greetingName(name) ?? assert.fail(name)
      assert.ok(name.startsWith(greeted) && greeted.length > 1, name)
    }
  })

  test('has only letters and the characters that join them', () => {
    const piece = fc.oneof(
      fc.constantFrom(...LINKS, ...SENTENCES, ...NAMES, ' ', '.', '/', '-', '’', '\u200B', '\u202E'),
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.string({ unit: 'binary', maxLength: 8 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 4 }), (pieces) => {
        const plain = plainName(pieces.join(''))
        assert.match(plain, /^(?:(?:\p{Lu}\.)+ ?|[\p{L}\p{M}'’ʼー -])*$/u)
        assert.ok([...plain].length <= 40)
        const greeted = greetingName(pieces.join('')) ?? ''
        assert.doesNotMatch(greeted.normalize('NFKC'), /[/\\@:]|www|http|[.。]\p{L}{2}|\p{N}{5}/iu)
        for (const link of LINKS) assert.ok(!greeted.includes(link), `${greeted} has ${link}`)
      }),
      { numRuns: 5000 },
    )
  })

  test('is checked within seconds, whatever its length', () => {
    for (const part of ['a', 'A', 'Aa', 'A.', '. ', ' .', '[', '(dot', 'Aa-', '\u0301', 'к', '.\u200B'])
      for (const check of [plainName, greetingName]) {
        const started = performance.now()
        check(part.repeat(50_000))
        assert.ok(performance.now() - started < 5000, part)
      }
  })
})

describe('A device in an email', () => {
  const CHROME = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0'
  const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)'
  for (const [input, en, ru] of [
    [
      { device: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36` },
      'Chrome on Windows',
      'Chrome на Windows',
    ],
    [
      { device: `Mozilla/5.0 (Windows NT 10.0) ${CHROME} Safari/537.36 Edg/142.0` },
      'Edge on Windows',
      'Edge на Windows',
    ],
    [{ device: `${IPHONE} Version/18.5 Mobile/15E148 Safari/604.1` }, 'Safari on iOS', 'Safari на iOS'],
    [
      { device: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', appType: 'web' },
      'Firefox on Linux',
      'Firefox на Linux',
    ],
    [
      { device: 'Dart/3.9 (dart:io)', appType: 'ios', appVersion: '1.4.2' },
      'iPhone or iPad app 1.4.2',
      'Приложение для iPhone или iPad 1.4.2',
    ],
    [
      { device: 'Dart/3.9 (dart:io)', appType: 'android', appVersion: '1.4 evil.com' },
      'Android app',
      'Приложение для Android',
    ],
    [{ device: 'Dart/3.9 (dart:io)', appType: 'web' }, 'Browser', 'Браузер'],
    [{ device: 'curl/8.5' }, 'Unknown device', 'Неизвестное устройство'],
    [
      { device: 'Call +7 900 1234567/1.0 (evil.com', appType: 'evil.com', appVersion: '90012345678' },
      'Unknown device',
      'Неизвестное устройство',
    ],
    [{ appType: 'constructor' }, 'Unknown device', 'Неизвестное устройство'],
    [{}, 'Unknown device', 'Неизвестное устройство'],
  ] as const)
    test(`${JSON.stringify(input).slice(0, 60)}… is “${en}”`, () => {
      assert.deepEqual([describeDevice('en', input), describeDevice('ru', input)], [en, ru])
    })

  test('is described in the words of the service only', () => {
    const agent = fc.oneof(
      fc.string({ unit: 'binary-ascii', maxLength: 200 }),
      fc
        .array(
          fc.constantFrom(
            'Mozilla/5.0 (',
            'evil.com',
            'Windows NT 10.0',
            ')',
            ' Chrome/',
            'Visit/',
            ' Version/9 ',
            'Safari',
            'bot',
            ';',
            'http://x.y',
            'Opera/evil',
            'Android',
            'YaBrowser',
            ' like Gecko',
          ),
          { maxLength: 12 },
        )
        .map((parts) => parts.join('')),
    )
    const words =
      /^(?:Unknown device|(?:iPhone or iPad|Android|Mac|Windows|Linux) app(?: [\d.]{1,23})?|Browser|[A-Z][A-Za-z ]+(?: on (?:Windows|macOS|iOS|Android|Linux|Chrome OS))?|macOS|iOS)$/
    fc.assert(
      fc.property(agent, fc.string({ maxLength: 10 }), fc.string({ maxLength: 40 }), (device, appType, appVersion) => {
        const told = describeDevice('en', { device, appType, appVersion })
        assert.match(told, words)
        assert.doesNotMatch(told, /evil|Visit|http|bot/)
      }),
      { numRuns: 3000 },
    )
  })

  test('is left out with an invalid address, also in emails queued by an earlier version', () => {
    for (const locale of LOCALES) {
      const device = 'Visit https://evil.example/unlock now'
      const data = { name: 'Anna', at, device, appType: 'evil.example', appVersion: 'evil', ip: 'evil.example' }
      for (const kind of ['new_sign_in', 'session_ended_reuse'] as const) {
        const { subject, text, html } = renderMail(kind, locale, data)
        assert.doesNotMatch(subject + text + html, /evil|Visit/)
      }
    }
  })
})

const smtp = await startSmtp()
after(() => smtp.stop())

describeOnEachEngine('Text from other people', (engine) => {
  const app = useApp(engine, { env: smtp.env })

  test('is sent to verified addresses only', async () => {
    const sentence = 'Your account is locked'
    const stranger = await registerVerified(app, { email: `stranger.${engine}@example.org`, name: sentence })
    const { access_token: token } = await signIn(app.api, stranger)
    const victim = `victim.${engine}@example.org`
    const body = { new_email: victim, password: PASSWORD }
    assert.equal((await app.api.post('/api/v1/auth/change-email', { token, body })).status, 200)
    await register(app.api, { email: victim, name: sentence })
    await app.api.post('/api/v1/auth/reset-password', { body: { email: victim } })
    for (const subject of [/new address/, /confirm your e-mail/, /reset your password/]) {
      const mail = await smtp.waitFor(mailTo(victim, subject))
      assert.match(mail.text ?? '', /^Hi,$/m)
      assert.doesNotMatch(`${mail.text}${mail.html}`, /Your account is|locked/)
    }
    const own = await smtp.waitFor(mailTo(stranger.email, /change of your address was requested/))
    assert.match(own.text ?? '', /^Hi Your,$/m)
  })
})
