import { type Clock, SECOND, timestamp } from '../../kernel/clock.ts'
import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors.ts'
import { createGate } from './gate.ts'
import { rateLimitHeaders, standingAfter } from './headers.ts'
import { delayAfter, type GuessPolicy } from './policies.ts'
import * as store from './throttle.store.ts'

/** What one guess is counted for, and how it stands. */
export interface Budget {
  key: string
  policy: GuessPolicy
  /** Failures in a row, and when the last one was, in milliseconds since 1970. */
  failures: number
  lastAt: number
  /** Counts failures, and holds nobody up. */
  lenient?: boolean
}

/** The first is the guesser's own, which a success clears. */
export type Budgets = [Budget, ...Budget[]]

/** So many free guesses of one budget may run at once in a process, and so many wait for them. */
const AT_ONCE = 5
const IN_LINE = 50
const UNLIMITED = 2 ** 31 - 1

/**
 * Guesses of a password, within budgets that all instances share.
 *
 * While a budget has free failures, a guess is counted after it has failed, and before it is answered: people who mistype
 * nothing cost no write. Such guesses run five at a time in each process, so all there can be is five more than are free
 * for each process; with a dozen processes that is far from the hundred at which strangers are stopped. After that, each
 * guess is counted before it is made, by a claim that only one can win. So no guess is answered uncounted, and no claim
 * is given beyond the hundredth: the count is exact, however many guess at once.
 */
export function createGuesses({ database, clock }: { database: Database; clock: Clock }) {
  const gate = createGate({ inside: AT_ONCE, waiting: IN_LINE })

  /**
   * Makes a guess by `check`, within the budgets that `look` reads. Only `ok: false` counts: what `check` throws is taken
   * as never tried. Throws AppError `rate_limited`, before `check` is called and with nothing written.
   */
  async function guess<R extends { ok: boolean }>(
    look: () => Promise<Budgets>,
    check: () => Promise<R>,
  ): Promise<R & { headers: Record<string, string>; throttled: boolean }> {
    let budgets = admitted(await look())
    const place = await gate.enter(budgets[0].key)
    if (!place) throw refusal(budgets, SECOND)
    try {
      if (place.waited) budgets = admitted(await look()) // those before have used some up
      const claimed = await claimAll(budgets)
      const result = await check().catch(async (error) => {
        await releaseAll(claimed).catch(() => {})
        throw error
      })
      if (result.ok) await settle(budgets, claimed)
      else await countFailure(budgets.filter((budget) => !claimed.includes(budget)))
      return { ...result, headers: headersOf(budgets, result.ok), throttled: !result.ok && holdsUp(budgets) }
    } finally {
      place.leave()
    }
  }

  /** Throws AppError `rate_limited` where one of the budgets has to wait. */
  function admitted(budgets: Budgets): Budgets {
    const waits = budgets.filter(({ lenient }) => !lenient).map(waitOf)
    const longest = Math.max(...waits)
    if (longest > 0) throw refusal(budgets, longest)
    return budgets
  }

  /** A clock that was set back, or that differs between instances, makes nobody wait for longer than the delay. */
  const waitOf = ({ failures, lastAt, policy }: Budget): number => {
    const delay = delayAfter(failures, policy)
    return delay === 0 ? 0 : Math.max(0, delay - Math.abs(clock.now() - lastAt))
  }

  /** Counts the guess in every budget without free failures, or in none: then somebody else was faster. */
  async function claimAll(budgets: Budgets): Promise<Budget[]> {
    const due = budgets.filter(({ failures, policy, lenient }) => !lenient && failures >= policy.free)
    if (due.length === 0) return due
    await database.transaction(async (trx) => {
      for (const { key, failures, policy } of due) {
        const [won] = await store.claim(trx, { key, seen: failures, ...times(policy) })
        if (!won) throw refusal(budgets, delayAfter(failures + 1, policy))
      }
    })
    return due
  }

  async function releaseAll(budgets: Budget[]): Promise<void> {
    for (const { key, lastAt } of budgets) await store.release(database.db, { key, last_at: timestamp(lastAt) })
  }

  /** Whoever knows the password starts anew, and has cost the other budgets nothing. */
  async function settle([own, ...others]: Budgets, claimed: Budget[]): Promise<void> {
    if (own.failures > 0) await store.clear(database.db, own.key)
    await releaseAll(others.filter((budget) => claimed.includes(budget)))
  }

  async function countFailure(budgets: Budget[]): Promise<void> {
    if (budgets.length === 0) return
    await database.transaction(async (trx) => {
      for (const { key, policy } of budgets)
        await store.countUp(trx, { key, by: 1, quota: UNLIMITED, ...times(policy) })
    })
  }

  const times = ({ memory }: GuessPolicy) => ({
    now: timestamp(clock.now()),
    expires: timestamp(clock.now() + memory),
  })

  function refusal(budgets: Budgets, wait: number): AppError {
    const isFinal = wait === Number.POSITIVE_INFINITY
    return new AppError('rate_limited', {
      retryAfter: (isFinal ? budgets[0].policy.longest : wait) / SECOND,
      detail: isFinal
        ? 'Too many wrong passwords. Reset the password, or sign in on a device that has done so before.'
        : 'Too many wrong passwords. The next try is possible after the seconds in Retry-After.',
      headers: rateLimitHeaders(
        shown(budgets).map(({ failures, policy, lastAt }) =>
          standingAfter(failures, policy, Math.abs(clock.now() - lastAt)),
        ),
      ),
    })
  }

  return { guess }
}

/** Whether one more failure makes the next guess wait. */
const holdsUp = (budgets: Budgets): boolean =>
  shown(budgets).some(({ failures, policy }) => delayAfter(failures + 1, policy) > 0)

const shown = (budgets: Budgets) => budgets.filter(({ lenient }) => !lenient)

const headersOf = (budgets: Budgets, ok: boolean): Record<string, string> =>
  rateLimitHeaders(
    shown(budgets).map((budget) => {
      const failures = ok ? (budget === budgets[0] ? 0 : budget.failures) : budget.failures + 1
      return standingAfter(failures, budget.policy)
    }),
  )
