import type { Db } from '../../kernel/db/database.ts'
import type { Locale } from '../../kernel/i18n/locale.ts'
import type { Log } from '../../kernel/log/log.ts'
import type { Outbox } from '../../kernel/mail/outbox.ts'
import { MAIL_LIMITS, type MailLimit, TO_UNVERIFIED } from './limits.ts'
import { plainName } from './names.ts'
import type { MailData, MailKind } from './templates.ts'

interface Recipient {
  /** Null if the account has been deleted. */
  id: string | null
  email: string
  email_verified: boolean | number
  name: string
  locale: Locale
}

interface Parts {
  outbox: Outbox
  log: Log
  /** Counts a use in a transaction. Returns whether it is within the limit. */
  take: (trx: Db, limit: MailLimit, by: string) => Promise<boolean>
  /** Returns the normalized form that identifies an address. */
  emailKey: (email: string) => string
}

/** Adds e-mails to the outbox, in the transaction that causes them and in the language of the recipient. */
export function createMailer({ outbox, log, take, emailKey }: Parts) {
  /**
   * Queues an e-mail unless its recipient is unverified or a limit is reached (docs/decisions/0017). Returns whether it
   * was queued.
   * @param data a function if it is to be created only when the e-mail is sent
   * @param to the address, if it is not the one of the account
   */
  async function send<K extends MailKind>(
    trx: Db,
    kind: K,
    user: Recipient,
    data: Omit<MailData[K], 'name'> | (() => Promise<Omit<MailData[K], 'name'>>),
    to = user.email,
  ): Promise<boolean> {
    const isVerified = Boolean(user.email_verified) && to === user.email
    const logFields = { mail: kind, user_id: user.id }
    if (!isVerified && !TO_UNVERIFIED.has(kind)) {
      log.debug(logFields, 'e-mail not sent: the address is not verified')
      return false
    }
    const exceeded = await findExceededLimit(trx, kind, emailKey(to))
    if (exceeded) {
      log.warn({ ...logFields, limit: exceeded.name }, 'e-mail not sent: the limit of this recipient is reached')
      return false
    }
    const name = isVerified ? user.name : plainName(user.name)
    const content = typeof data === 'function' ? await data() : data
    await outbox.put(trx, { kind, locale: user.locale, to, userId: user.id, data: { name, ...content } })
    return true
  }

  async function findExceededLimit(trx: Db, kind: MailKind, address: string): Promise<MailLimit | null> {
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
