import { LRUCache } from 'lru-cache'
import type { Db } from '../../kernel/db/database.ts'
import { type Clock, MINUTE } from '../../kernel/lib/clock.ts'
import { type AccessPath, countMatches, countTerm, type Filters, hasFilters } from './search.store.ts'

/** Up to this many matches are counted exactly, and collected before they are sorted. */
export const MAX_EXACT_COUNT = 10_000
/** Up to this many matches are collected if the first MAX_SCANNED_ROWS in the sort order do not fill a page. */
const MAX_COLLECTED_ROWS = 100_000
export const MAX_SCANNED_ROWS = 5_000
const MAX_CACHED_PLANS = 200

export interface Plan {
  path: AccessPath
  total: number
}

/**
 * Chooses the access path of a list by counting its matches first: docs/decisions/0004 and 0021. `total` is exact up to
 * `MAX_EXACT_COUNT`; above, it is a count at most a minute old, or `MAX_EXACT_COUNT` for a search.
 */
export function createPlanner(clock: Clock) {
  const cache = new LRUCache<string, { plan: Plan; until: number }>({ max: MAX_CACHED_PLANS })

  async function findPlan(db: Db, filters: Filters): Promise<Plan> {
    const { term } = filters
    const limit = MAX_EXACT_COUNT + 1
    const filtered = hasFilters(filters)
    if (term) {
      const total = await countTerm(db, term, limit)
      if (total < limit)
        return { path: 'term', total: filtered ? await countMatches(db, filters, 'term', limit) : total }
    }
    if (filtered) {
      const total = await countMatches(db, { ...filters, term: null }, 'filters', limit)
      if (total < limit)
        return { path: 'filters', total: term ? await countMatches(db, filters, 'filters', limit) : total }
    }
    const total = term ? MAX_EXACT_COUNT : await countMatches(db, filters, 'filters')
    return { path: 'order', total }
  }

  /** Returns what to collect the matches by if MAX_SCANNED_ROWS do not fill a page: whichever has fewer. */
  async function fallback(db: Db, filters: Filters): Promise<AccessPath> {
    const limit = MAX_COLLECTED_ROWS + 1
    const byTerm = filters.term ? await countTerm(db, filters.term, limit) : limit
    const byFilters = hasFilters(filters) ? await countMatches(db, { ...filters, term: null }, 'filters', limit) : limit
    if (Math.min(byTerm, byFilters) === limit) return 'order'
    return byTerm <= byFilters ? 'term' : 'filters'
  }

  return {
    fallback,
    async of(db: Db, filters: Filters): Promise<Plan> {
      const key = JSON.stringify(filters)
      const cached = cache.get(key)
      if (cached && cached.until > clock.now()) return cached.plan
      const plan = await findPlan(db, filters)
      if (plan.path !== 'order' || plan.total < MAX_EXACT_COUNT) return plan
      cache.set(key, { plan, until: clock.now() + MINUTE })
      return plan
    },
  }
}
