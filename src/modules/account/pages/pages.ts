import { readFileSync } from 'node:fs'
import { page, versioned } from '../../../kernel/http/html/page.ts'
import { htmlTemplate } from '../../../kernel/http/html/template.ts'
import type { Locale } from '../../../kernel/i18n/locale.ts'
import { LINK_PATHS, type LinkKind } from '../../credentials/one-time-tokens.service.ts'
import { PAGE_TEXTS } from './pages.messages.ts'

/** The script of the page that sets a password, and its path. */
export const SCRIPT = readFileSync(new URL('./show-password.js', import.meta.url), 'utf8')
export const SCRIPT_PATH = '/assets/show-password.js'
const SCRIPT_HREF = versioned(SCRIPT_PATH, SCRIPT)

/** Returns whether the page of a flow has a script. */
export const hasScript = (flow: LinkKind): boolean => flow === 'reset_password'

interface ConfirmOptions {
  flow: LinkKind
  locale: Locale
  token: string
  /** The address of the account, or the new one. Password managers store the new password under it. */
  email?: string
  /** Messages about the last attempt; the form keeps the token. */
  errors?: string[]
  /** Minimum length of a new password, in code points. */
  minPasswordLength?: number
}

/** The address that a page is about, with its label. */
interface AddressLine {
  label: string
  email: string
}

interface ConfirmData {
  locale: Locale
  title: string
  text: string
  button: string
  action: string
  token: string
  errors: string[]
  address: AddressLine | null
  /** The fields for a new password; null on other pages. */
  password: { email: string; label: string; labelAgain: string; hint: string; show: string } | null
}

interface ResultData {
  outcome: 'done' | 'failed'
  title: string
  text: string[]
  address: AddressLine | null
}

const confirm = htmlTemplate<ConfirmData>(new URL('./confirm.html.eta', import.meta.url))
const result = htmlTemplate<ResultData>(new URL('./result.html.eta', import.meta.url))

/**
 * Renders the page that a link opens. Its button posts `token` and `lang` (and for a reset `new_password` and
 * `new_password_again`) as a form to the same path.
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
  const { password, passwordAgain, passwordHint, showPassword } = common
  return page({
    locale,
    title: errors.length ? `${common.error}: ${title}` : title,
    ...(hasScript(flow) && { script: SCRIPT_HREF }),
    body: confirm({
      ...{ locale, title, text, button, token, errors },
      action: LINK_PATHS[flow],
      address: addressLine(flow, locale, email),
      password:
        flow === 'reset_password'
          ? {
              email,
              label: password,
              labelAgain: passwordAgain,
              hint: passwordHint(minPasswordLength),
              show: showPassword,
            }
          : null,
    }),
  })
}

/** Renders the page after the action has succeeded. */
export function donePage({ flow, locale, email = '' }: Pick<ConfirmOptions, 'flow' | 'locale' | 'email'>): string {
  const { title, text } = PAGE_TEXTS[locale].done[flow]
  return page({
    locale,
    title,
    body: result({ outcome: 'done', title, text, address: addressLine(flow, locale, email) }),
  })
}

/** Renders the page for a link that is used, expired, replaced or invalid. It reveals nothing about any account. */
export function failedPage({ flow, locale }: { flow: LinkKind; locale: Locale }): string {
  const { failed, common } = PAGE_TEXTS[locale]
  const text = [common.expiredText, failed[flow]]
  return page({
    locale,
    title: common.expired,
    body: result({ outcome: 'failed', title: common.expired, text, address: null }),
  })
}

function addressLine(flow: LinkKind, locale: Locale, email: string): AddressLine | null {
  const { account, newAddress } = PAGE_TEXTS[locale].common
  const labels = { verify_email: 'E-mail', change_email: newAddress, reset_password: account, undo_deletion: account }
  return email === '' ? null : { label: labels[flow], email }
}
