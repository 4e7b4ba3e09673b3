import type { Db } from '../../kernel/db/database.ts'
import type { Locale } from '../../kernel/i18n/locale.ts'
import type { Log } from '../../kernel/log/log.ts'
import type { Outbox } from '../../kernel/mail/outbox.ts'
import { MAIL_LIMITS, type MailLimit, TO_UNVERIFIED } from './limits.ts'
import { plainName } from './names.ts'
import type { MailData, MailKind } from './templates.ts'

interface Recipient {
  /** Null for somebody whose account is no more. */
  id: string | null
  email: string
  email_verified: boolean | number
  name: string
  locale: Locale
}

interface Parts {
  outbox: Outbox
  log: Log
  /** Counts a use in a transaction, and tells whether it is within the limit. */
  take: (trx: Db, limit: MailLimit, by: string) => Promise<boolean>
  /** What makes an address unique, however it is written. */
  emailKey: (email: string) => string
}

/** Puts mails to people into the outbox, in the transaction of what causes them and in their language. */
export function createMailer({ outbox, log, take, emailKey }: Parts) {
  /**
   * Sends a mail where the recipient may get it: notices go to verified addresses only, and each address has a budget.
   * What caused it succeeds all the same. `data` may be a function, for what should not be made in vain; `to` is given
   * where it is not the address of the account. Returns whether the mail is sent.
   */
  async function send<K extends MailKind>(
    trx: Db,
    kind: K,
    user: Recipient,
    data: Omit<MailData[K], 'name'> | (() => Promise<Omit<MailData[K], 'name'>>),
    to = user.email,
  ): Promise<boolean> {
    const isVerified = Boolean(user.email_verified) && to === user.email
    const about = { mail: kind, user_id: user.id }
    if (!isVerified && !TO_UNVERIFIED.has(kind)) {
      log.debug(about, 'e-mail not sent: the address is not verified')
      return false
    }
    const used = await findUsedUp(trx, kind, emailKey(to))
    if (used) {
      log.warn({ ...about, limit: used.name }, 'e-mail not sent: the limit of this recipient is reached')
      return false
    }
    const name = isVerified ? user.name : plainName(user.name)
    const content = typeof data === 'function' ? await data() : data
    await outbox.put(trx, { kind, locale: user.locale, to, userId: user.id, data: { name, ...content } })
    return true
  }

  async function findUsedUp(trx: Db, kind: MailKind, address: string): Promise<MailLimit | null> {
    const { own, all } = MAIL_LIMITS[kind]
    if (!(await take(trx, own, address))) return own
    if (all && !(await take(trx, all, mailboxOf(address)))) return all
    return null
  }

  return { send }
}

export type Mailer = ReturnType<typeof createMailer>

/** Most mail servers deliver `anna+anything@…` to `anna@…` (RFC 5233). */
const mailboxOf = (address: string): string => address.replace(/^([^+]+)\+.*@/s, '$1@')
