import { page } from '../../../kernel/http/html/page.ts'
import { htmlTemplate } from '../../../kernel/http/html/template.ts'
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

interface ConfirmData {
  locale: Locale
  title: string
  text: string
  button: string
  action: string
  token: string
  errors: string[]
  /** What the form that asks for a new password shows; null where none is asked for. */
  password: { email: string; label: string; labelAgain: string; hint: string } | null
}

interface ResultData {
  outcome: 'done' | 'failed'
  title: string
  text: string[]
}

const confirm = htmlTemplate<ConfirmData>(new URL('./confirm.html.eta', import.meta.url))
const result = htmlTemplate<ResultData>(new URL('./result.html.eta', import.meta.url))

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
  const { confirm: texts, common } = PAGE_TEXTS[locale]
  const { title, text, button } = texts[flow]
  const password = {
    email,
    label: common.password,
    labelAgain: common.passwordAgain,
    hint: common.passwordHint(minPasswordLength),
  }
  const data = { locale, title, text, button, action: LINK_PATHS[flow], token, errors }
  return page({
    locale,
    title: errors.length ? `${common.error}: ${title}` : title,
    body: confirm({ ...data, password: flow === 'reset_password' ? password : null }),
  })
}

/** After the button, when it worked. */
export function donePage({ flow, locale }: { flow: LinkKind; locale: Locale }): string {
  return resultPage(locale, { outcome: 'done', ...PAGE_TEXTS[locale].done[flow] })
}

/** When the link is used, expired, replaced or not ours; says what to do next, and tells nothing of any account. */
export function failedPage({ flow, locale }: { flow: LinkKind; locale: Locale }): string {
  const { failed, common } = PAGE_TEXTS[locale]
  return resultPage(locale, { outcome: 'failed', title: common.expired, text: [common.expiredText, failed[flow]] })
}

const resultPage = (locale: Locale, data: ResultData): string => page({ locale, title: data.title, body: result(data) })
