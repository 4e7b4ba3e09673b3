import type { Db } from '../../kernel/db/database.ts'
import type { Locale } from '../../kernel/i18n.ts'
import type { Outbox } from '../../kernel/mail/outbox.ts'
import type { MailData, MailKind } from './letters.ts'

interface Recipient {
  /** Null for somebody whose account is no more. */
  id: string | null
  email: string
  name: string
  locale: Locale
}

/** Puts mails to people into the outbox, in the transaction of what causes them and in their language. */
export function createMailer({ outbox }: { outbox: Outbox }) {
  return {
    /** `to` where it is not the address of the account. */
    send<K extends MailKind>(
      trx: Db,
      kind: K,
      user: Recipient,
      data: Omit<MailData[K], 'name'>,
      to = user.email,
    ): Promise<void> {
      return outbox.put(trx, { kind, locale: user.locale, to, userId: user.id, data: { name: user.name, ...data } })
    },
  }
}

export type Mailer = ReturnType<typeof createMailer>
