import { DAY, HOUR, MINUTE } from '../../kernel/lib/clock.ts'
import type { MailKind } from './templates.ts'

/** How many mails go out in each window of time. */
export interface MailLimit {
  name: string
  quota: number
  /** Milliseconds. */
  window: number
}

/**
 * All notices to one mailbox, the `+tag` of an address left out. Only somebody who has signed in to the account can cause
 * them, and the owner has been told thirty times by then.
 */
const ALL_NOTICES: MailLimit = { name: 'mail-notices', quota: 30, window: DAY }

/** The same for what strangers can cause. Apart from the notices: strangers must not be able to use those up. */
const ALL_REQUESTS: MailLimit = { name: 'mail-requests', quota: 30, window: HOUR }

const notice = (kind: MailKind): MailLimit => ({ name: `mail-${kind}`, quota: 5, window: HOUR })

/**
 * How many mails of each kind an address gets, whoever causes them and however. The limits of the endpoints
 * (`rate-limits/policies.ts`) come first; these hold where many accounts, or an endpoint without a limit, have one recipient.
 *
 * A mail that is not sent makes no link, so the one before it still works. That is why nobody is kept out:
 * - A reset link is good for 30 minutes, and a window is half of that. RESET lets strangers cause three mails in it, the
 *   other three are for administrators. Whenever one is refused, a link of this window works. No total counts resets.
 * - A verification or a new address has 24 hours, so again a window is half of that. RESEND would allow more; beyond
 *   twelve, the last link is still good, and a reset verifies the address as well.
 */
export const MAIL_LIMITS: Record<MailKind, { own: MailLimit; all?: MailLimit }> = {
  verify_email: { own: { name: 'mail-verify_email', quota: 12, window: 12 * HOUR }, all: ALL_REQUESTS },
  reset_password: { own: { name: 'mail-reset_password', quota: 6, window: 15 * MINUTE } },
  change_email_confirm: { own: { name: 'mail-change_email_confirm', quota: 12, window: 12 * HOUR }, all: ALL_REQUESTS },
  password_changed: { own: notice('password_changed'), all: ALL_NOTICES },
  change_email_notice: { own: notice('change_email_notice'), all: ALL_NOTICES },
  email_changed: { own: notice('email_changed'), all: ALL_NOTICES },
  new_sign_in: { own: notice('new_sign_in'), all: ALL_NOTICES },
  account_deletion: { own: notice('account_deletion'), all: ALL_NOTICES },
  account_deleted: { own: notice('account_deleted'), all: ALL_NOTICES },
  session_ended_reuse: { own: notice('session_ended_reuse'), all: ALL_NOTICES },
}

/**
 * Kinds that go to an address before anybody has shown that it is theirs: without them nobody could. Everything else goes
 * to verified addresses only. That includes the farewell with the link to undo it: whoever has never proved the address
 * signs in with the password to keep the account.
 */
export const TO_UNVERIFIED: ReadonlySet<MailKind> = new Set(['verify_email', 'reset_password', 'change_email_confirm'])
