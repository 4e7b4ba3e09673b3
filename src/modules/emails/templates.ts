/** A point in time: RFC 3339, or milliseconds since 1970; plain JSON, so that it may wait in the outbox. */
export type Instant = string | number

interface Person {
  /** As the person typed it, or empty where it must not be repeated: see `names.ts`. */
  name: string
}

interface Link {
  /** The whole address that the button opens. */
  link: string
  /** Seconds until it stops working: whole hours or whole minutes. */
  validFor: number
}

/** Where a call came from, as far as it is known. */
export interface Origin {
  /** The user agent; a mail names what it is of a list of our own, and repeats nothing of it. */
  device?: string | null
  appType?: string | null
  appVersion?: string | null
  ip?: string | null
  at: Instant
}

/** Every mail that the service sends, with what it needs to know. */
export interface MailData {
  /** Welcome, and proof that the address is the person's own. */
  verify_email: Person & Link
  reset_password: Person & Link
  password_changed: Person & { at: Instant }
  /** To the new address. */
  change_email_confirm: Person & Link
  /** To the old address, when the change is asked for. */
  change_email_notice: Person & { newEmail: string }
  /** To the old address, when the change is done. */
  email_changed: Person & { newEmail: string; at: Instant }
  /** From a device not seen before. */
  new_sign_in: Person & Origin
  /** `link` undoes it. */
  account_deletion: Person & { deleteAfter: Instant; link: string }
  account_deleted: Person
  /** A past refresh token was used: a copy may have been stolen. */
  session_ended_reuse: Person & Origin
}

export type MailKind = keyof MailData

/** What one mail says; `email.html.eta` and `email.txt.eta` show it. */
export interface EmailContent {
  subject: string
  title: string
  /** Paragraphs above the facts and the button. */
  before: string[]
  facts?: [label: string, value: string][]
  action?: { label: string; link: string }
  /** Paragraphs below them: how long it holds, and what to do if it was not you. */
  after: string[]
}

/** All mails in one language. */
export interface Templates {
  hello: { before: string; after: string; withoutName: string }
  copyLink: { before: string; label: string; after: string }
  footer: (brand: string) => string
  templates: { [K in MailKind]: (data: MailData[K], brand: string) => EmailContent }
}
