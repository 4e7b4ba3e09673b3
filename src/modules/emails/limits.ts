import { DAY, HOUR, MINUTE } from '../../kernel/lib/clock.ts'
import type { MailKind } from './templates.ts'

/** How many e-mails may be sent in each window. */
export interface MailLimit {
  name: string
  quota: number
  /** Milliseconds. */
  window: number
}

/** All notices to one mailbox, ignoring the `+tag`. Only a user who has signed in to the account can cause them. */
const ALL_NOTICES: MailLimit = { name: 'mail-notices', quota: 30, window: DAY }

/** All e-mails that anonymous clients can cause, counted separately so that they cannot use up the limit of notices. */
const ALL_REQUESTS: MailLimit = { name: 'mail-requests', quota: 30, window: HOUR }

const notice = (kind: MailKind): MailLimit => ({ name: `mail-${kind}`, quota: 5, window: HOUR })

/**
 * Limits for each kind of e-mail and recipient, whatever caused it. The limits of the endpoints
 * (`rate-limits/policies.ts`) apply first. The windows are explained in docs/decisions/0017.
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
 * Kinds that are sent to unverified addresses, because they are needed to verify one. All others go to verified
 * addresses only, also `account_deletion`: its user can sign in to keep the account.
 */
export const TO_UNVERIFIED: ReadonlySet<MailKind> = new Set(['verify_email', 'reset_password', 'change_email_confirm'])
