import { DAY, HOUR, MINUTE, SECOND } from '../../kernel/lib/clock.ts'

/**
 * How often a secret may be guessed wrongly: `free` failures cost nothing, each further one doubles the wait before the
 * next try, from a second up to `longest`.
 */
export interface AttemptPolicy {
  name: string
  free: number
  /** Milliseconds. */
  longest: number
  /** After so many failures in a row no waiting helps: only `clearAccount` does. */
  stop: number
  /** Failures are forgotten after so many milliseconds without another. */
  memory: number
}

/** How often something may be done: `quota` times in each window of time. */
export interface WindowPolicy {
  name: string
  quota: number
  /** Milliseconds. */
  window: number
  /**
   * So many in a window are counted in the memory of each instance only, and cost no write: for what honest people do
   * often. With n instances, up to (n - 1) × `unshared` more than the quota may pass.
   */
  unshared?: number
}

/** Longer than the longest session lives: the next sign-in after it still finds its device known. */
export const DEVICE_RETENTION_MS = 400 * DAY

/**
 * One account, for all together that prove no device of it, and once more for each device that is proven. Five, since
 * people mistype; a hundred in a row, since NIST SP 800-63B-4 (3.2.2) allows no more. Guessing all hundred takes a day.
 */
export const LOGIN: AttemptPolicy = {
  name: 'login',
  free: 5,
  longest: 15 * MINUTE,
  stop: 100,
  memory: DEVICE_RETENTION_MS,
}

/**
 * One address (an IPv6 network of 64 bits) over all accounts: one password tried on many of them. Behind an address may
 * be a school, so many failures are free, they are forgotten within the hour, and known devices are never held up.
 */
export const LOGIN_ADDRESS: AttemptPolicy = {
  name: 'login-address',
  free: 50,
  longest: 5 * MINUTE,
  stop: Number.POSITIVE_INFINITY,
  memory: HOUR,
}

/**
 * An IPv6 network of 48 bits over all accounts: 65,536 networks of 64 bits, which some providers give to one customer, and
 * others to as many telephones. So it bounds what a customer can do with them all, far above what people mistype.
 */
export const LOGIN_SITE: AttemptPolicy = { ...LOGIN_ADDRESS, name: 'login-site', free: 1000, longest: 30 * SECOND }

/** The current password, asked again of somebody signed in: whoever finds an open session must not learn it. */
export const CONFIRMATION: AttemptPolicy = { ...LOGIN, name: 'password' }

/** By address. A class that signs up together fits; a machine that makes accounts, or asks who has one, does not. */
export const REGISTRATION: WindowPolicy = { name: 'registration', quota: 100, window: HOUR }

/** By IPv6 network of 48 bits. */
export const REGISTRATION_SITE: WindowPolicy = { name: 'registration-site', quota: 1000, window: HOUR }

/**
 * By e-mail. Strangers can use it up, so its window is half of what a link lives: whenever a request is refused, a link
 * sent in that window still works, and the owner has it.
 */
export const RESET: WindowPolicy = { name: 'reset', quota: 3, window: 15 * MINUTE }
/** By address: nobody fills the mailboxes of many. */
export const RESET_ADDRESS: WindowPolicy = { name: 'reset-address', quota: 30, window: 15 * MINUTE }
/** By IPv6 network of 48 bits. */
export const RESET_SITE: WindowPolicy = { name: 'reset-site', quota: 300, window: 15 * MINUTE }

/** By user: each is a mail. */
export const RESEND: WindowPolicy = { name: 'resend', quota: 3, window: 15 * MINUTE }
/** By user: each is a mail to an address that may be anybody's. */
export const EMAIL_CHANGE: WindowPolicy = { name: 'email-change', quota: 5, window: HOUR }
/** By new e-mail: many accounts must not fill one mailbox. */
export const EMAIL_CHANGE_TO: WindowPolicy = { name: 'email-change-to', quota: 3, window: 15 * MINUTE }

/** By user: each reads all that is stored of them, and adds to it. */
export const EXPORT: WindowPolicy = { name: 'export', quota: 10, window: HOUR }

/** By user: how many refusals are written down as events. Whoever asks on and on fills the log, and no table. */
export const DENIAL: WindowPolicy = { name: 'denial', quota: 60, window: HOUR }

/**
 * By user, or by address (an IPv6 network of 64 bits) of somebody unknown: how many new idempotency keys are kept. An answer is
 * kept for a day, so that whoever thinks up keys without end must not fill the disk.
 */
export const IDEMPOTENCY_KEYS = {
  name: 'idempotency-keys',
  quota: 3000,
  window: HOUR,
  unshared: 1000,
} satisfies WindowPolicy

/**
 * By user, over everything that somebody signed in writes. People tap a few times in a minute, and an administrator’s
 * screen sends a hundred at once; a script that goes on and on fills the audit log and the disk.
 */
export const WRITES: WindowPolicy = { name: 'writes', quota: 240, window: MINUTE, unshared: 120 }

/** By session. An app refreshes four times in an hour; many isolates at once after a bad network, some dozens. */
export const REFRESH: WindowPolicy = { name: 'refresh', quota: 120, window: MINUTE, unshared: 60 }
/** By session: how many tabs that were left behind are written down as events. */
export const STALE_TAB: WindowPolicy = { name: 'stale-tab', quota: 30, window: HOUR, unshared: 30 }
/**
 * By address, of refreshes with a token of ours. Such tokens cannot be guessed: this is for a client that runs wild, not
 * for a town behind one address, and needs no wider count.
 */
export const REFRESH_ADDRESS: WindowPolicy = { name: 'refresh-address', quota: 3000, window: MINUTE, unshared: 1500 }

/** What has to pass between the last of so many failures in a row and the next try, in milliseconds. */
export function delayAfter(failures: number, { free, longest, stop }: AttemptPolicy): number {
  if (failures >= stop) return Number.POSITIVE_INFINITY
  return failures < free ? 0 : Math.min(SECOND * 2 ** (failures - free), longest)
}
