import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { type Clock, SECOND, timestamp } from '../../kernel/lib/clock.ts'
import { createSemaphore, type Slot } from '../../kernel/lib/semaphore.ts'
import { limitStateAfter, rateLimitHeaders } from './headers.ts'
import { type AttemptPolicy, delayAfter } from './policies.ts'
import { rateLimitsErrors } from './rate-limits.errors.ts'
import * as store from './rate-limits.store.ts'

/** A count that a failed attempt increases, and its current state. */
export interface AttemptLimit {
  key: string
  policy: AttemptPolicy
  /** Consecutive failures, and when the last one was, in milliseconds since 1970. */
  failures: number
  lastAt: number
  /** Failures are counted, but the limit is not enforced. */
  countsOnly?: boolean
}

/** The first is the limit of the caller, which a success clears. */
export type AttemptLimits = [AttemptLimit, ...AttemptLimit[]]

/** What an attempt is counted for. Read when it begins, and again after a wait. */
export interface AttemptSubject {
  limits: AttemptLimits
  /** The known device of the caller, to which the first limit then belongs. */
  device: string | null
}

/** A permit to check a password once. Exactly one of its functions must be called. */
export interface Attempt {
  /** The known device of the caller, or null. */
  device: string | null
  /** Reports a correct password. Returns the RateLimit headers of the response. */
  succeed(): Promise<Record<string, string>>
  /** Counts a wrong password. Returns the headers, and whether the next attempt has to wait. */
  fail(): Promise<{ headers: Record<string, string>; throttled: boolean }>
  /** Reports that the password could not be checked: the attempt is not counted. Throws `error`. */
  abandon(error: unknown): Promise<never>
}

/** How many uncounted attempts of one limit may run at once in a process, and how many may wait. */
const MAX_CONCURRENT_ATTEMPTS = 5
const MAX_QUEUED_ATTEMPTS = 50
const UNLIMITED = 2 ** 31 - 1

/**
 * Limits password attempts across all instances. Free attempts are counted after they fail, five at once in a process;
 * later ones are claimed before the password is checked: docs/decisions/0029.
 */
export function createLoginAttempts({ database, clock }: { database: Database; clock: Clock }) {
  const semaphore = createSemaphore({ slots: MAX_CONCURRENT_ATTEMPTS, queueLimit: MAX_QUEUED_ATTEMPTS })

  /**
   * Begins an attempt within the limits that `read` returns. They are read again after a wait, because other attempts
   * may have used them. Throws AppError `rate_limited`, without writing.
   */
  async function begin(read: () => Promise<AttemptSubject>): Promise<Attempt> {
    const first = requireAdmitted(await read())
    const slot = await semaphore.acquire(first.limits[0].key)
    if (!slot) throw refusal(first.limits, SECOND)
    try {
      const subject = slot.waited ? requireAdmitted(await read()) : first
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
        return { headers: headersOf(limits, false), throttled: willDelayNext(limits) }
      },
      async abandon(error) {
        await releaseAll(claimed)
          .catch(() => {})
          .finally(slot.release)
        throw error
      },
    }
  }

  /** Throws AppError `rate_limited` if one of the enforced limits requires a wait. */
  function requireAdmitted(subject: AttemptSubject): AttemptSubject {
    const { limits } = subject
    const waits = limits.filter(({ countsOnly }) => !countsOnly).map(waitOf)
    const longest = Math.max(...waits)
    if (longest > 0) throw refusal(limits, longest)
    return subject
  }

  /** Returns the remaining delay. Clocks that differ or were set back do not extend it. */
  const waitOf = ({ failures, lastAt, policy }: AttemptLimit): number => {
    const delay = delayAfter(failures, policy)
    return delay === 0 ? 0 : Math.max(0, delay - Math.abs(clock.now() - lastAt))
  }

  /**
   * Counts the attempt in every limit without free failures. Throws AppError `rate_limited` if a concurrent attempt was
   * counted first.
   */
  async function claimAll(limits: AttemptLimits): Promise<AttemptLimit[]> {
    const exhausted = limits.filter(
      ({ failures, policy, countsOnly }) => !countsOnly && failures >= policy.freeFailures,
    )
    if (exhausted.length === 0) return exhausted
    await database.transaction(async (trx) => {
      for (const { key, failures, policy } of exhausted) {
        const [claimedRow] = await store.claim(trx, { key, expected: failures, ...times(policy) })
        if (!claimedRow) throw refusal(limits, delayAfter(failures + 1, policy))
      }
    })
    return exhausted
  }

  async function releaseAll(limits: AttemptLimit[]): Promise<void> {
    for (const { key, lastAt } of limits) await store.release(database.db, { key, last_at: timestamp(lastAt) })
  }

  /** Clears the caller's limit after a correct password, and takes back what the attempt has claimed in the others. */
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

  const times = ({ retention }: AttemptPolicy) => ({
    now: timestamp(clock.now()),
    expires: timestamp(clock.now() + retention),
  })

  function refusal(limits: AttemptLimits, wait: number): AppError {
    const isFinal = wait === Number.POSITIVE_INFINITY
    return new AppError(rateLimitsErrors.rate_limited, {
      retryAfter: (isFinal ? limits[0].policy.maxDelay : wait) / SECOND,
      detail: isFinal
        ? 'Too many wrong passwords. Reset the password, or sign in on a known device.'
        : 'Too many wrong passwords. Retry after the seconds in Retry-After.',
      headers: rateLimitHeaders(
        enforced(limits).map(({ failures, policy, lastAt }) =>
          limitStateAfter(failures, policy, Math.abs(clock.now() - lastAt)),
        ),
      ),
    })
  }

  return { begin }
}

/** Returns whether the next attempt has to wait after one more failure. */
const willDelayNext = (limits: AttemptLimits): boolean =>
  enforced(limits).some(({ failures, policy }) => delayAfter(failures + 1, policy) > 0)

const enforced = (limits: AttemptLimits) => limits.filter(({ countsOnly }) => !countsOnly)

const headersOf = (limits: AttemptLimits, ok: boolean): Record<string, string> =>
  rateLimitHeaders(
    enforced(limits).map((limit) => {
      const failures = ok ? (limit === limits[0] ? 0 : limit.failures) : limit.failures + 1
      return limitStateAfter(failures, limit.policy)
    }),
  )
