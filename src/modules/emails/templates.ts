/** RFC 3339 text or milliseconds since 1970: plain JSON, which the outbox can store. */
export type Instant = string | number

interface Person {
  /** As entered by the user, or empty if it must not be repeated: see `names.ts`. */
  name: string
}

interface Link {
  /** The URL that the button opens. */
  link: string
  /** Seconds until the link expires: whole hours or whole minutes. */
  validFor: number
}

/** Where a request came from, as far as known. */
export interface SignInOrigin {
  /** The user agent. E-mails name only a device recognized in it: see `devices.ts`. */
  device?: string | null
  appType?: string | null
  appVersion?: string | null
  ip?: string | null
  at: Instant
}

/** All kinds of e-mail, with the data of each. */
export interface MailData {
  /** Sent after registration, to verify the address. */
  verify_email: Person & Link
  reset_password: Person & Link
  password_changed: Person & { at: Instant }
  /** Sent to the new address. */
  change_email_confirm: Person & Link
  /** Sent to the old address when the change is requested. */
  change_email_notice: Person & { newEmail: string }
  /** Sent to the old address when the change is complete. */
  email_changed: Person & { newEmail: string; at: Instant }
  /** A sign-in from an unknown device. */
  new_sign_in: Person & SignInOrigin
  /** `link` cancels the deletion. */
  account_deletion: Person & { deleteAfter: Instant; link: string }
  account_deleted: Person
  /** An outdated refresh token was used: it may have been stolen. */
  session_ended_reuse: Person & SignInOrigin
}

export type MailKind = keyof MailData

/** The content of an e-mail, which `email.html.eta` and `email.txt.eta` render. */
export interface EmailContent {
  subject: string
  title: string
  /** Paragraphs above the facts and the button. */
  before: string[]
  facts?: [label: string, value: string][]
  action?: { label: string; link: string }
  /** Paragraphs below them: how long the link is valid, and what to do if the user did not cause the e-mail. */
  after: string[]
}

/** All e-mails in one language. */
export interface Templates {
  hello: { before: string; after: string; withoutName: string }
  copyLink: { before: string; label: string; after: string }
  footer: (brand: string) => string
  templates: { [K in MailKind]: (data: MailData[K], brand: string) => EmailContent }
}
