import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { PAGE_CSP, page, SCRIPTED_PAGE_CSP, STYLESHEET, STYLESHEET_PATH } from '../../../src/kernel/http/html/page.ts'
import { htmlTemplate, type Markup } from '../../../src/kernel/http/html/template.ts'
import { LOCALES } from '../../../src/kernel/i18n/locale.ts'
import { confirmPage, donePage, failedPage, hasScript, SCRIPT_PATH } from '../../../src/modules/account/pages/pages.ts'
import { LINK_PATHS, type LinkKind } from '../../../src/modules/credentials/one-time-tokens.service.ts'

const EVIL = '"><script>alert(1)</script>&\''
const ESCAPED = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#39;'

function eachPage(check: (text: string, label: string) => void) {
  for (const flow of Object.keys(LINK_PATHS) as LinkKind[]) {
    for (const locale of LOCALES) {
      check(confirmPage({ flow, locale, token: EVIL, email: EVIL, errors: [EVIL] }), `confirm ${flow} ${locale}`)
      check(donePage({ flow, locale, email: EVIL }), `done ${flow} ${locale}`)
      check(failedPage({ flow, locale }), `failed ${flow} ${locale}`)
    }
  }
}

describe('Account pages', () => {
  test('are whole documents in their language with a title and one heading', () => {
    eachPage((text, label) => {
      assert.ok(text.startsWith('<!doctype html>\n<html lang='), label)
      assert.equal(text.includes('<html lang="ru">'), label.endsWith(' ru'), label)
      assert.match(text, /<title>[^<]+ · Bukhindor<\/title>/, label)
      assert.equal(text.split('<h1').length, 2, label)
      assert.doesNotMatch(text, /undefined|null|false|\[object/, label)
    })
  })

  test('keep to their policy: local files only, nothing inline, nothing unescaped', () => {
    for (const policy of [PAGE_CSP, SCRIPTED_PAGE_CSP]) assert.doesNotMatch(policy, /unsafe|\*/)
    assert.doesNotMatch(PAGE_CSP, /script/)
    eachPage((text, label) => {
      assert.doesNotMatch(text, /<style|\sstyle=|\son\w+=|javascript:/i, label)
      const scripts = text.match(/<script[^>]*>/g) ?? []
      const scripted = label.startsWith('confirm reset_password')
      assert.deepEqual(
        scripts.map((tag) => tag.replace(/\?v=\w{8}/, '')),
        scripted ? [`<script src="${SCRIPT_PATH}" defer>`] : [],
        label,
      )
      assert.equal(text.split('</script>').length - 1, scripts.length, label)
      const loaded = [...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address?.split('?')[0])
      assert.deepEqual(loaded, scripted ? [STYLESHEET_PATH, SCRIPT_PATH] : [STYLESHEET_PATH], label)
    })
    assert.deepEqual((Object.keys(LINK_PATHS) as LinkKind[]).filter(hasScript), ['reset_password'])
    assert.doesNotMatch(STYLESHEET, /url\(|@import/)
  })

  test('post the token of the link to their own path', () => {
    for (const [flow, path] of Object.entries(LINK_PATHS) as [LinkKind, string][]) {
      const text = confirmPage({ flow, locale: 'en', token: 'abc' })
      assert.ok(text.includes(`<form method="post" action="${path}">`), flow)
      assert.ok(text.includes('<input type="hidden" name="token" value="abc">'), flow)
      assert.equal(text.split('<button').length, 2, flow)
      assert.doesNotMatch(text, /role="alert"|aria-invalid/, flow)
      assert.equal(text.includes('type="password"'), flow === 'reset_password', flow)
    }
  })

  test('show the address before and after the step, and none for an invalid link', () => {
    const email = 'anna&co@example.org'
    for (const flow of Object.keys(LINK_PATHS) as LinkKind[]) {
      const label = {
        verify_email: 'E-mail',
        change_email: 'Новый адрес',
        reset_password: 'Аккаунт',
        undo_deletion: 'Аккаунт',
      }[flow]
      const line = `<p class="account"><span>${label}</span> <bdi>anna&amp;co@example.org</bdi></p>`
      assert.ok(confirmPage({ flow, locale: 'ru', token: 'abc', email }).includes(line), flow)
      assert.ok(donePage({ flow, locale: 'ru', email }).includes(line), flow)
      assert.doesNotMatch(failedPage({ flow, locale: 'ru' }), /class="account"/, flow)
    }
  })

  test('label both passwords in the reset form, state the minimum length and allow pasting', () => {
    const text = confirmPage({ flow: 'reset_password', locale: 'ru', token: 'abc', minPasswordLength: 12 })
    for (const name of ['new_password', 'new_password_again']) {
      assert.ok(text.includes(`<label for="${name}">`))
      assert.match(text, new RegExp(`<input type="password" id="${name}" name="${name}" autocomplete="new-password"`))
    }
    assert.match(text, /aria-describedby="password_hint".+id="password_hint">Не меньше 12 символов/s)
    assert.doesNotMatch(text, /maxlength|onpaste/)
  })

  test('show errors as text above the form, announce them, and keep the token', () => {
    const text = confirmPage({ flow: 'reset_password', locale: 'en', token: EVIL, errors: ['Too short.', EVIL] })
    assert.match(text, /<title>Error: /)
    assert.match(text, /role="alert"><ul><li>Too short\.<\/li><li>.+<form /s)
    assert.ok(text.includes(`<li>${ESCAPED}</li>`))
    assert.ok(text.includes(`name="token" value="${ESCAPED}"`))
    assert.match(text, /aria-describedby="password_hint errors" aria-invalid="true"/)
  })

  test('escape values in templates and in the layout', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bukhindor-template-'))
    const file = join(folder, 'x.html.eta')
    writeFileSync(file, '<p title="<%= it.title %>"><% for (const each of it.list) { %><b><%= each %></b><% } %></p>')
    const template = htmlTemplate<{ title: string; list: (string | number)[] }>(pathToFileURL(file))
    rmSync(folder, { recursive: true })
    const body = template({ title: '"\'', list: ['<&>', 0] })
    assert.equal(body, '<p title="&quot;&#39;"><b>&lt;&amp;&gt;</b><b>0</b></p>')
    const shell = page({ locale: 'en', title: EVIL, brand: EVIL, wide: true, body })
    assert.ok(shell.includes(`<title>${ESCAPED} · ${ESCAPED}</title>`))
    assert.ok(shell.includes(`<a href="/">${ESCAPED}</a>`))
    assert.ok(shell.includes(`<main>\n${body}</main>`))
    // @ts-expect-error A body that no template has made is refused.
    const refused: Markup = EVIL
    assert.ok(refused)
  })

  test('insert no raw markup but constants and the body of the layout', () => {
    const source = new URL('../../../src/', import.meta.url)
    const templates = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.eta'))
    const unescaped = templates.flatMap((file) =>
      [...readFileSync(new URL(file, source), 'utf8').matchAll(/<%[-_]?\s*~.*?%>/gs)].map(([tag]) => [file, tag]),
    )
    assert.deepEqual(
      unescaped.filter(([file]) => file !== 'modules/emails/email.html.eta'),
      [['kernel/http/html/page.html.eta', '<%~ it.body %>']],
    )
    // The space behind the preheader of an e-mail is a constant.
    for (const [file, tag] of unescaped)
      assert.ok(file === 'kernel/http/html/page.html.eta' || !tag?.includes('it.'), `${file}: ${tag}`)
  })

  test('have the contrast of WCAG 2.2 AA, light and dark', () => {
    const [light = '', dark = ''] = STYLESHEET.split('@media (prefers-color-scheme: dark)')
    const lightColours = colours(light)
    for (const scheme of [lightColours, { ...lightColours, ...colours(dark) }]) {
      for (const [front, back, least] of PAIRS) {
        const ratio = contrast(scheme[front] ?? '', scheme[back] ?? '')
        assert.ok(ratio >= least, `${front} on ${back}: ${ratio.toFixed(2)}`)
      }
    }
  })
})

const PAIRS: [front: string, back: string, least: number][] = [
  ['text', 'surface', 4.5],
  ['text', 'page', 4.5],
  ['text', 'code', 4.5],
  ['text', 'mark', 4.5],
  ['soft', 'surface', 4.5],
  ['soft', 'page', 4.5],
  ['soft', 'mark', 4.5],
  ['accent', 'surface', 4.5],
  ['on-accent', 'accent', 4.5],
  ['on-accent', 'accent-strong', 4.5],
  ['bad', 'bad-back', 4.5],
  ['good', 'surface', 4.5],
  ['edge', 'surface', 3],
  ['edge', 'page', 3],
]

function colours(css: string): Record<string, string> {
  return Object.fromEntries([...css.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]))
}

/** The contrast ratio of two `#rrggbb` colours (WCAG 2.2, "relative luminance"). */
function contrast(one: string, other: string): number {
  const luminance = (colour: string) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, index) => {
      const part = Number.parseInt(colour.slice(1 + 2 * index, 3 + 2 * index), 16) / 255
      return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    }, 0)
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}
