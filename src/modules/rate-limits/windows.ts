import { LRUCache } from 'lru-cache'
import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { type Clock, SECOND, timestamp } from '../../kernel/lib/clock.ts'
import { rateLimitHeaders } from './headers.ts'
import type { WindowPolicy } from './policies.ts'
import { rateLimitsErrors } from './rate-limits.errors.ts'
import * as store from './rate-limits.store.ts'

/** Keys counted in memory. Of more the least recently used are forgotten, and start again at zero. */
const MAX_KEYS = 50_000

/** How often things may be done, counted in windows of time that begin at the same moment on every instance. */
export function createWindows({ database, clock }: { database: Database; clock: Clock }) {
  const counted = new LRUCache<string, { end: number; count: number }>({ max: MAX_KEYS })

  /**
   * Counts one use of a key. Returns the RateLimit headers of the answer.
   * Throws AppError `rate_limited` when the quota is used up, with nothing written.
   */
  async function use(policy: WindowPolicy, key: string): Promise<Record<string, string>> {
    const { quota, window, unshared = 0 } = policy
    const now = clock.now()
    const end = (Math.floor(now / window) + 1) * window
    const here = unshared > 0 ? countHere(key, end) : 0
    const used = unshared > 0 && here <= unshared ? here : await countShared(here === unshared + 1 ? here : 1)

    async function countShared(by: number): Promise<number> {
      const times = { now: timestamp(now), expires: timestamp(end) }
      const [row] = await store.countUp(database.db, { key, by: Math.max(1, by), quota, ...times })
      return row?.count ?? Number.POSITIVE_INFINITY
    }

    const resetIn = end - now
    const headers = rateLimitHeaders([{ policy, remaining: Math.max(0, quota - used), resetIn }])
    if (used > quota) throw new AppError(rateLimitsErrors.rate_limited, { retryAfter: resetIn / SECOND, headers })
    return headers
  }

  function countHere(key: string, end: number): number {
    const known = counted.get(key)
    if (known?.end === end) return ++known.count
    counted.set(key, { end, count: 1 })
    return 1
  }

  /**
   * Counts one use of a key in a transaction: what is rolled back was not used. Tells whether it was within the quota;
   * beyond it nothing is written.
   */
  async function take(trx: Db, { quota, window }: WindowPolicy, key: string): Promise<boolean> {
    const now = clock.now()
    const times = { now: timestamp(now), expires: timestamp((Math.floor(now / window) + 1) * window) }
    return (await store.countUp(trx, { key, by: 1, quota, ...times })).length > 0
  }

  return { use, take }
}
