import { LRUCache } from 'lru-cache'
import type { Database, Db } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { type Clock, SECOND, timestamp } from '../../kernel/lib/clock.ts'
import { rateLimitHeaders } from './headers.ts'
import type { WindowPolicy } from './policies.ts'
import { rateLimitsErrors } from './rate-limits.errors.ts'
import * as store from './rate-limits.store.ts'

/** Keys counted in memory. Beyond this, the least recently used ones restart at zero. */
const MAX_KEYS = 50_000

/** Counts uses in fixed windows, which begin at the same time on every instance. */
export function createWindows({ database, clock }: { database: Database; clock: Clock }) {
  const counted = new LRUCache<string, { end: number; count: number }>({ max: MAX_KEYS })

  /**
   * Counts one use of a key. Returns the RateLimit headers of the response.
   * Throws AppError `rate_limited`, without writing, when the quota is used up.
   */
  async function use(policy: WindowPolicy, key: string): Promise<Record<string, string>> {
    const { quota, window, localQuota = 0 } = policy
    const now = clock.now()
    const end = (Math.floor(now / window) + 1) * window
    const localCount = localQuota > 0 ? countLocally(key, end) : 0
    const used =
      localQuota > 0 && localCount <= localQuota
        ? localCount
        : await countShared(localCount === localQuota + 1 ? localCount : 1)

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

  function countLocally(key: string, end: number): number {
    const entry = counted.get(key)
    if (entry?.end === end) return ++entry.count
    counted.set(key, { end, count: 1 })
    return 1
  }

  /**
   * Counts one use of a key in a transaction, unless it is rolled back. Returns whether it was within the quota; beyond
   * it, nothing is written.
   */
  async function take(trx: Db, { quota, window }: WindowPolicy, key: string): Promise<boolean> {
    const now = clock.now()
    const times = { now: timestamp(now), expires: timestamp((Math.floor(now / window) + 1) * window) }
    return (await store.countUp(trx, { key, by: 1, quota, ...times })).length > 0
  }

  return { use, take }
}
