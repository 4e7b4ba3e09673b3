import { LRUCache } from 'lru-cache'
import type { Db } from '../../kernel/db/database.ts'
import { type Clock, MINUTE } from '../../kernel/lib/clock.ts'
import { type AccessPath, countMatches, countTerm, type Filters, hasFilters } from './search.store.ts'

/** Up to this many matches are counted exactly, and gathered before they are sorted. */
export const MAX_EXACT_COUNT = 10_000
/** Up to this many are gathered where a walk along the order has not found a page among `MAX_WALKED_ROWS`. */
const MAX_GATHERED_ROWS = 100_000
export const MAX_WALKED_ROWS = 5_000
const MAX_CACHED_PLANS = 200

export interface Plan {
  lead: AccessPath
  total: number
}

/**
 * Says how to come by a list, by counting first. What a term or the filters lead to is counted no further than `MAX_EXACT_COUNT`:
 * if there is no more, that is the way, and the rows are sorted afterwards. Of more matches a page is nearly always full
 * soon when the order's index is walked; where it is not, since all of them are at its other end, `instead` tells what to
 * gather. The total comes with it: exact up to `MAX_EXACT_COUNT`; above it a full count that is at most a minute old, or for a
 * search `MAX_EXACT_COUNT` itself.
 */
export function createPlanner(clock: Clock) {
  const long = new LRUCache<string, { plan: Plan; until: number }>({ max: MAX_CACHED_PLANS })

  async function findPlan(db: Db, filters: Filters): Promise<Plan> {
    const { term } = filters
    const most = MAX_EXACT_COUNT + 1
    const filtered = hasFilters(filters)
    if (term) {
      const total = await countTerm(db, term, most)
      if (total < most) return { lead: 'term', total: filtered ? await countMatches(db, filters, 'term', most) : total }
    }
    if (filtered) {
      const total = await countMatches(db, { ...filters, term: null }, 'filters', most)
      if (total < most)
        return { lead: 'filters', total: term ? await countMatches(db, filters, 'filters', most) : total }
    }
    const total = term ? MAX_EXACT_COUNT : await countMatches(db, filters, 'filters')
    return { lead: 'order', total }
  }

  /** What to gather by where the order does not lead to a page soon: what leads to fewer. */
  async function instead(db: Db, filters: Filters): Promise<AccessPath> {
    const most = MAX_GATHERED_ROWS + 1
    const byTerm = filters.term ? await countTerm(db, filters.term, most) : most
    const byFilters = hasFilters(filters) ? await countMatches(db, { ...filters, term: null }, 'filters', most) : most
    if (Math.min(byTerm, byFilters) === most) return 'order'
    return byTerm <= byFilters ? 'term' : 'filters'
  }

  return {
    instead,
    async of(db: Db, filters: Filters): Promise<Plan> {
      const key = JSON.stringify(filters)
      const known = long.get(key)
      if (known && known.until > clock.now()) return known.plan
      const plan = await findPlan(db, filters)
      if (plan.lead !== 'order' || plan.total < MAX_EXACT_COUNT) return plan
      long.set(key, { plan, until: clock.now() + MINUTE })
      return plan
    },
  }
}
