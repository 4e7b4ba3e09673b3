import { readFileSync } from 'node:fs'
import { html, type Markup, page, versioned } from '../../../kernel/http/html/page.ts'
import type { Locale } from '../../../kernel/i18n/locale.ts'
import { LINK_PATHS, type LinkKind } from '../../credentials/one-time-tokens.service.ts'
import { PAGE_TEXTS } from './pages.messages.ts'

/** The script of the page that sets a password, and where it is served. */
export const SCRIPT = readFileSync(new URL('./show-password.js', import.meta.url), 'utf8')
export const SCRIPT_PATH = '/assets/show-password.js'
const SCRIPT_HREF = versioned(SCRIPT_PATH, SCRIPT)

/** Whether the page of a flow has a script. */
export const hasScript = (flow: LinkKind): boolean => flow === 'reset_password'

interface ConfirmOptions {
  flow: LinkKind
  locale: Locale
  token: string
  /** The address of the link: that of the account, or the new one. Password managers keep the new password under it. */
  email?: string
  /** Sentences for the person about the last try; the form keeps the token. */
  errors?: string[]
  /** Least length of a new password, in code points. */
  minPasswordLength?: number
}

/**
 * The page that a link opens: it changes nothing by itself, because mail scanners open links too. Its one button posts
 * `token` and `lang` (and for a reset `new_password` and `new_password_again`) as a form to the page's own path.
 */
export function confirmPage({
  flow,
  locale,
  token,
  email = '',
  errors = [],
  minPasswordLength = 8,
}: ConfirmOptions): string {
  const { confirm, common } = PAGE_TEXTS[locale]
  const { title, text, button } = confirm[flow]
  return page({
    locale,
    title: errors.length ? `${common.error}: ${title}` : title,
    ...(hasScript(flow) && { script: SCRIPT_HREF }),
    body: html`<h1>${title}</h1>
${errors.length > 0 && errorList(errors)}
${email !== '' && accountLine(flow, locale, email)}
<p>${text}</p>
<form method="post" action="${LINK_PATHS[flow]}">
<input type="hidden" name="token" value="${token}">
<input type="hidden" name="lang" value="${locale}">
${flow === 'reset_password' && passwordFields(locale, email, minPasswordLength, errors.length > 0)}
<button type="submit">${button}</button>
</form>`,
  })
}

/** After the button, when it worked. */
export function donePage({ flow, locale, email = '' }: Pick<ConfirmOptions, 'flow' | 'locale' | 'email'>): string {
  const { done } = PAGE_TEXTS[locale]
  return resultPage(locale, 'done', done[flow], email !== '' && accountLine(flow, locale, email))
}

/** When the link is used, expired, replaced or not ours; says what to do next, and tells nothing of any account. */
export function failedPage({ flow, locale }: { flow: LinkKind; locale: Locale }): string {
  const { failed, common } = PAGE_TEXTS[locale]
  return resultPage(locale, 'failed', { title: common.expired, text: [common.expiredText, failed[flow]] })
}

function resultPage(
  locale: Locale,
  outcome: 'done' | 'failed',
  { title, text }: { title: string; text: string[] },
  address: Markup | false = false,
): string {
  const paragraphs = text.map((line) => html`<p>${line}</p>\n`)
  return page({ locale, title, body: html`<h1 class="${outcome}">${title}</h1>\n${address}\n${paragraphs}` })
}

function accountLine(flow: LinkKind, locale: Locale, email: string): Markup {
  const { account, newAddress } = PAGE_TEXTS[locale].common
  const label = { verify_email: 'E-mail', change_email: newAddress, reset_password: account, undo_deletion: account }[
    flow
  ]
  return html`<p class="account"><span>${label}</span> <bdi>${email}</bdi></p>`
}

function errorList(errors: string[]): Markup {
  const items = errors.map((error) => html`<li>${error}</li>`)
  return html`<div class="errors" id="errors" role="alert"><ul>${items}</ul></div>`
}

function passwordFields(locale: Locale, email: string, minLength: number, invalid: boolean): Markup {
  const { password, passwordAgain, passwordHint, showPassword } = PAGE_TEXTS[locale].common
  const state = invalid && html` aria-invalid="true"`
  // No maxlength: a browser would cut a pasted password without a word. Lengths are counted by the service.
  return html`<input type="text" name="email" value="${email}" autocomplete="username" hidden>
<label for="new_password">${password}</label>
<input type="password" id="new_password" name="new_password" autocomplete="new-password" required
 aria-describedby="password_hint${invalid && ' errors'}"${state}>
<p class="hint" id="password_hint">${passwordHint(minLength)}</p>
<label for="new_password_again">${passwordAgain}</label>
<input type="password" id="new_password_again" name="new_password_again" autocomplete="new-password" required${state}>
<label class="check" hidden><input type="checkbox" id="show_password"> ${showPassword}</label>`
}
