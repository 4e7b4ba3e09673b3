import { html, type Markup, page } from '../../../kernel/http/html/page.ts'
import type { Locale } from '../../../kernel/i18n/locale.ts'
import { LINK_PATHS, type LinkKind } from '../../credentials/one-time-tokens.service.ts'
import { PAGE_TEXTS } from './pages.messages.ts'

interface ConfirmOptions {
  flow: LinkKind
  locale: Locale
  token: string
  /** Whose account it is, so that a password manager keeps the new password in the right place. */
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
    body: html`<h1>${title}</h1>
${errors.length > 0 && errorList(errors)}
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
export function donePage({ flow, locale }: { flow: LinkKind; locale: Locale }): string {
  return resultPage(locale, 'done', PAGE_TEXTS[locale].done[flow])
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
): string {
  const paragraphs = text.map((line) => html`<p>${line}</p>\n`)
  return page({ locale, title, body: html`<h1 class="${outcome}">${title}</h1>\n${paragraphs}` })
}

function errorList(errors: string[]): Markup {
  const items = errors.map((error) => html`<li>${error}</li>`)
  return html`<div class="errors" id="errors" role="alert"><ul>${items}</ul></div>`
}

function passwordFields(locale: Locale, email: string, minLength: number, invalid: boolean): Markup {
  const { password, passwordAgain, passwordHint } = PAGE_TEXTS[locale].common
  const state = invalid && html` aria-invalid="true"`
  // No maxlength: a browser would cut a pasted password without a word. Lengths are counted by the service.
  return html`<input type="text" name="email" value="${email}" autocomplete="username" hidden>
<label for="new_password">${password}</label>
<input type="password" id="new_password" name="new_password" autocomplete="new-password" required
 aria-describedby="password_hint${invalid && ' errors'}"${state}>
<p class="hint" id="password_hint">${passwordHint(minLength)}</p>
<label for="new_password_again">${passwordAgain}</label>
<input type="password" id="new_password_again" name="new_password_again" autocomplete="new-password" required${state}>`
}
