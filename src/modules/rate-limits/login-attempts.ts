import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { type Clock, SECOND, timestamp } from '../../kernel/lib/clock.ts'
import { createSemaphore, type Slot } from '../../kernel/lib/semaphore.ts'
import { rateLimitHeaders, standingAfter } from './headers.ts'
import { type AttemptPolicy, delayAfter } from './policies.ts'
import { rateLimitsErrors } from './rate-limits.errors.ts'
import * as store from './rate-limits.store.ts'

/** One count that an attempt adds to when it fails, and how it stands. */
export interface AttemptLimit {
  key: string
  policy: AttemptPolicy
  /** Failures in a row, and when the last one was, in milliseconds since 1970. */
  failures: number
  lastAt: number
  /** Failures are counted here, and hold nobody up. */
  countsOnly?: boolean
}

/** The first is the caller's own, which a success clears. */
export type AttemptLimits = [AttemptLimit, ...AttemptLimit[]]

/** What an attempt is counted for: read when it begins, and again after a wait. */
export interface AttemptSubject {
  limits: AttemptLimits
  /** The device that the caller has proven, which the first of the limits is of then. */
  device: string | null
}

/** A permit to check a password once. Exactly one of its functions has to be called. */
export interface Attempt {
  /** The device that the attempt counts for; null where none is proven. */
  device: string | null
  /** The password was right. Returns the RateLimit headers of the answer. */
  succeed(): Promise<Record<string, string>>
  /** The password was wrong: it is counted. Returns the headers, and whether the next attempt has to wait. */
  fail(): Promise<{ headers: Record<string, string>; throttled: boolean }>
  /** The password could not be checked: it counts as never tried. Throws `error`. */
  abandon(error: unknown): Promise<never>
}

/** How many attempts of one limit may run at once in a process before any is counted, and how many may wait. */
const MAX_CONCURRENT_ATTEMPTS = 5
const MAX_QUEUED_ATTEMPTS = 50
const UNLIMITED = 2 ** 31 - 1

/**
 * Attempts to give a password, within limits that all instances share.
 *
 * While a limit has free failures, an attempt is counted after it has failed and before it is answered: people who mistype
 * nothing cost no write. Such attempts run five at a time in each process, so each process can exceed the free ones by five,
 * far from the hundred at which an account is closed to strangers. After that, each attempt is counted before the password
 * is checked, by a claim that only one can win. So no attempt is answered uncounted, and the hundredth is the last.
 */
export function createLoginAttempts({ database, clock }: { database: Database; clock: Clock }) {
  const semaphore = createSemaphore({ slots: MAX_CONCURRENT_ATTEMPTS, queueLimit: MAX_QUEUED_ATTEMPTS })

  /**
   * Begins an attempt within the limits that `read` gives. After a wait for others they are read again: those have used some
   * up, and a device may be forgotten by then. Throws AppError `rate_limited`, with nothing written.
   */
  async function begin(read: () => Promise<AttemptSubject>): Promise<Attempt> {
    const first = admitted(await read())
    const slot = await semaphore.acquire(first.limits[0].key)
    if (!slot) throw refusal(first.limits, SECOND)
    try {
      const subject = slot.waited ? admitted(await read()) : first
      return permit(subject, await claimAll(subject.limits), slot)
    } catch (error) {
      slot.release()
      throw error
    }
  }

  function permit({ limits, device }: AttemptSubject, claimed: AttemptLimit[], slot: Slot): Attempt {
    return {
      device,
      async succeed() {
        await clearOwn(limits, claimed).finally(slot.release)
        return headersOf(limits, true)
      },
      async fail() {
        await countFailure(limits.filter((limit) => !claimed.includes(limit))).finally(slot.release)
        return { headers: headersOf(limits, false), throttled: holdsUp(limits) }
      },
      async abandon(error) {
        await releaseAll(claimed)
          .catch(() => {})
          .finally(slot.release)
        throw error
      },
    }
  }

  /** Throws AppError `rate_limited` where one of the limits has to wait. */
  function admitted(subject: AttemptSubject): AttemptSubject {
    const { limits } = subject
    const waits = limits.filter(({ countsOnly }) => !countsOnly).map(waitOf)
    const longest = Math.max(...waits)
    if (longest > 0) throw refusal(limits, longest)
    return subject
  }

  /** A clock that was set back, or that differs between instances, makes nobody wait for longer than the delay. */
  const waitOf = ({ failures, lastAt, policy }: AttemptLimit): number => {
    const delay = delayAfter(failures, policy)
    return delay === 0 ? 0 : Math.max(0, delay - Math.abs(clock.now() - lastAt))
  }

  /** Counts the attempt in every limit without free failures, or in none: then somebody else was faster. */
  async function claimAll(limits: AttemptLimits): Promise<AttemptLimit[]> {
    const due = limits.filter(({ failures, policy, countsOnly }) => !countsOnly && failures >= policy.free)
    if (due.length === 0) return due
    await database.transaction(async (trx) => {
      for (const { key, failures, policy } of due) {
        const [won] = await store.claim(trx, { key, seen: failures, ...times(policy) })
        if (!won) throw refusal(limits, delayAfter(failures + 1, policy))
      }
    })
    return due
  }

  async function releaseAll(limits: AttemptLimit[]): Promise<void> {
    for (const { key, lastAt } of limits) await store.release(database.db, { key, last_at: timestamp(lastAt) })
  }

  /** Whoever knows the password starts anew, and has cost the other limits nothing. */
  async function clearOwn([own, ...others]: AttemptLimits, claimed: AttemptLimit[]): Promise<void> {
    if (own.failures > 0) await store.clear(database.db, own.key)
    await releaseAll(others.filter((limit) => claimed.includes(limit)))
  }

  async function countFailure(limits: AttemptLimit[]): Promise<void> {
    if (limits.length === 0) return
    await database.transaction(async (trx) => {
      for (const { key, policy } of limits) await store.countUp(trx, { key, by: 1, quota: UNLIMITED, ...times(policy) })
    })
  }

  const times = ({ memory }: AttemptPolicy) => ({
    now: timestamp(clock.now()),
    expires: timestamp(clock.now() + memory),
  })

  function refusal(limits: AttemptLimits, wait: number): AppError {
    const isFinal = wait === Number.POSITIVE_INFINITY
    return new AppError(rateLimitsErrors.rate_limited, {
      retryAfter: (isFinal ? limits[0].policy.longest : wait) / SECOND,
      detail: isFinal
        ? 'Too many wrong passwords. Reset the password, or sign in on a known device.'
        : 'Too many wrong passwords. Retry after the seconds in Retry-After.',
      headers: rateLimitHeaders(
        shown(limits).map(({ failures, policy, lastAt }) =>
          standingAfter(failures, policy, Math.abs(clock.now() - lastAt)),
        ),
      ),
    })
  }

  return { begin }
}

/** Whether one more failure makes the next attempt wait. */
const holdsUp = (limits: AttemptLimits): boolean =>
  shown(limits).some(({ failures, policy }) => delayAfter(failures + 1, policy) > 0)

const shown = (limits: AttemptLimits) => limits.filter(({ countsOnly }) => !countsOnly)

const headersOf = (limits: AttemptLimits, ok: boolean): Record<string, string> =>
  rateLimitHeaders(
    shown(limits).map((limit) => {
      const failures = ok ? (limit === limits[0] ? 0 : limit.failures) : limit.failures + 1
      return standingAfter(failures, limit.policy)
    }),
  )
