import type { Locale } from '../../kernel/i18n/locale.ts'
import { createMailRenderer, oneLine, type RenderedMail } from '../../kernel/mail/render.ts'
import { en } from './en.ts'
import { greetingName } from './names.ts'
import { ru } from './ru.ts'
import type { MailData, MailKind, Templates } from './templates.ts'

const LANGUAGES: Record<Locale, Templates> = { en, ru }

/** All kinds of e-mail, in the order of the templates. */
export const MAIL_KINDS = Object.keys(en.templates) as MailKind[]

const render = createMailRenderer(new URL('./', import.meta.url))

/** Renders an e-mail in the language of the recipient. `data` cannot add lines to the subject or markup to the HTML. */
export function renderMail<K extends MailKind>(
  kind: K,
  locale: Locale,
  data: MailData[K],
  brand = 'Bukhindor',
): RenderedMail {
  const language = LANGUAGES[locale]
  const clean = inOneLine(data)
  return render('email', {
    ...language.templates[kind](clean, brand),
    locale,
    brand,
    name: greetingName(clean.name),
    hello: language.hello,
    copyLink: language.copyLink,
    footer: language.footer(brand),
  })
}

function inOneLine<T extends object>(data: T): T {
  const entries = Object.entries(data).map(([key, value]) => [key, typeof value === 'string' ? oneLine(value) : value])
  return Object.fromEntries(entries) as T
}
