import { type Clock, MINUTE } from '../../kernel/clock.ts'
import type { Db } from '../../kernel/db/database.ts'
import { COUNTED, countAll, countUpTo, type Filters } from './users.store.ts'

const KEPT = 200

/**
 * How many users match. Exact up to `COUNTED`; above it a full count that is at most a minute old, or, for a search,
 * `COUNTED` itself: counting every match of a common syllable would take longer than the page it belongs to.
 */
export function createTotals(db: Db, clock: Clock) {
  const counted = new Map<string, { total: number; until: number }>()
  return {
    async of(filters: Filters): Promise<{ total: number; few: boolean }> {
      const key = JSON.stringify(filters)
      const known = counted.get(key)
      if (known && known.until > clock.now()) return { total: known.total, few: false }
      const some = await countUpTo(db, filters)
      if (some <= COUNTED) return { total: some, few: true }
      if (filters.term) return { total: COUNTED, few: false }
      const total = await countAll(db, filters)
      if (counted.size >= KEPT) counted.delete(counted.keys().next().value as string)
      counted.set(key, { total, until: clock.now() + MINUTE })
      return { total, few: false }
    },
  }
}
