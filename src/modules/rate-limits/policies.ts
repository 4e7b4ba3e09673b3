import { DAY, HOUR, MINUTE, SECOND } from '../../kernel/lib/clock.ts'

/**
 * How often a secret may be entered wrongly. After `freeFailures`, each further failure doubles the delay before the
 * next attempt, from a second up to `maxDelay`.
 */
export interface AttemptPolicy {
  name: string
  freeFailures: number
  /** Milliseconds. */
  maxDelay: number
  /** After this many failures in a row, attempts are refused until `clearAccount` resets the count. */
  maxFailures: number
  /** Failures expire this many milliseconds after the last one. */
  retention: number
}

/** How often something may be done: `quota` times per window. */
export interface WindowPolicy {
  name: string
  quota: number
  /** Milliseconds. */
  window: number
  /**
   * This many uses per window are counted in the memory of each instance only, without a write. With n instances, up to
   * (n - 1) × `localQuota` more than the quota may pass.
   */
  localQuota?: number
}

/** Longer than a session lives, so that the device is still known at the sign-in after it. */
export const DEVICE_RETENTION_MS = 400 * DAY

/**
 * By account, for all unknown devices together and for each known device. Five failures are free for typing errors;
 * NIST SP 800-63B-4 (3.2.2) allows at most a hundred in a row, which take about a day.
 */
export const LOGIN: AttemptPolicy = {
  name: 'login',
  freeFailures: 5,
  maxDelay: 15 * MINUTE,
  maxFailures: 100,
  retention: DEVICE_RETENTION_MS,
}

/**
 * By address (an IPv6 /64) over all accounts, against password spraying. A whole school may share an address, so many
 * failures are free, and they expire within an hour. Not enforced for known devices.
 */
export const LOGIN_ADDRESS: AttemptPolicy = {
  name: 'login-address',
  freeFailures: 50,
  maxDelay: 5 * MINUTE,
  maxFailures: Number.POSITIVE_INFINITY,
  retention: HOUR,
}

/**
 * By IPv6 /48 over all accounts. It contains 65,536 networks of 64 bits, which one provider assigns to one customer and
 * another to as many phones: the limit is far above typing errors.
 */
export const LOGIN_SITE: AttemptPolicy = {
  ...LOGIN_ADDRESS,
  name: 'login-site',
  freeFailures: 1000,
  maxDelay: 30 * SECOND,
}

/** By user, for the current password as confirmation: an open session must not allow guessing it. */
export const CONFIRMATION: AttemptPolicy = { ...LOGIN, name: 'password' }

/** By address. A class that signs up together stays below it. */
export const REGISTRATION: WindowPolicy = { name: 'registration', quota: 100, window: HOUR }

/** By IPv6 network of 48 bits. */
export const REGISTRATION_SITE: WindowPolicy = { name: 'registration-site', quota: 1000, window: HOUR }

/**
 * By e-mail. Any client can use it up, so its window is half of the lifetime of a link: whenever a request is refused,
 * a link sent in that window still works.
 */
export const RESET: WindowPolicy = { name: 'reset', quota: 3, window: 15 * MINUTE }
/** By address, so that one client cannot send e-mails to many recipients. */
export const RESET_ADDRESS: WindowPolicy = { name: 'reset-address', quota: 30, window: 15 * MINUTE }
/** By IPv6 network of 48 bits. */
export const RESET_SITE: WindowPolicy = { name: 'reset-site', quota: 300, window: 15 * MINUTE }

/** By user: each request sends an e-mail. */
export const RESEND: WindowPolicy = { name: 'resend', quota: 3, window: 15 * MINUTE }
/** By user: each request sends an e-mail to an address that may belong to someone else. */
export const EMAIL_CHANGE: WindowPolicy = { name: 'email-change', quota: 5, window: HOUR }
/** By new e-mail, so that many accounts cannot fill one mailbox. */
export const EMAIL_CHANGE_TO: WindowPolicy = { name: 'email-change-to', quota: 3, window: 15 * MINUTE }

/** By user: each export reads all data of the user and adds an audit event. */
export const EXPORT: WindowPolicy = { name: 'export', quota: 10, window: HOUR }

/** By user: how many denials are recorded in the audit log. Further ones are only logged. */
export const DENIAL: WindowPolicy = { name: 'denial', quota: 60, window: HOUR }

/**
 * By user, or by address without a user: how many new idempotency keys are stored. A response is stored for a day, so
 * the number is limited to protect the disk.
 */
export const IDEMPOTENCY_KEYS = {
  name: 'idempotency-keys',
  quota: 3000,
  window: HOUR,
  localQuota: 1000,
} satisfies WindowPolicy

/**
 * By user, over all writes. A screen for administrators may send a hundred at once; a script that writes continuously
 * would fill the audit log and the disk.
 */
export const WRITES: WindowPolicy = { name: 'writes', quota: 240, window: MINUTE, localQuota: 120 }

/** By session. An app refreshes four times an hour, and several dozen times at once when many isolates reconnect. */
export const REFRESH: WindowPolicy = { name: 'refresh', quota: 120, window: MINUTE, localQuota: 60 }
/** By session: how many stale tabs are recorded in the audit log. */
export const STALE_TAB: WindowPolicy = { name: 'stale-tab', quota: 30, window: HOUR, localQuota: 30 }
/**
 * By address, for refreshes with a valid token. It limits a malfunctioning client; such tokens cannot be guessed, so no
 * limit by /48 is needed.
 */
export const REFRESH_ADDRESS: WindowPolicy = { name: 'refresh-address', quota: 3000, window: MINUTE, localQuota: 1500 }

/** Returns the delay after failures in a row before the next attempt, in milliseconds. */
export function delayAfter(failures: number, { freeFailures, maxDelay, maxFailures }: AttemptPolicy): number {
  if (failures >= maxFailures) return Number.POSITIVE_INFINITY
  return failures < freeFailures ? 0 : Math.min(SECOND * 2 ** (failures - freeFailures), maxDelay)
}
