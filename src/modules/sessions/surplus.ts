import type { Db } from '../../kernel/db/database.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import type { Config } from '../../settings/config.ts'
import * as store from './sessions.store.ts'
import type { EndReason } from './sessions.tables.ts'

/** How many sessions one transaction ends. */
const SURPLUS_BATCH = 1000

/** Ends the least recently used sessions of a user beyond MAX_SESSIONS. */
export function createSurplus({ clock, config }: { clock: Clock; config: Pick<Config, 'maxSessions'> }) {
  /** Returns the most recently used session beyond MAX_SESSIONS besides `newest`, or null. */
  async function surplusCutoff(trx: Db, userId: string, newest: string): Promise<store.Cutoff | null> {
    const rule = { user_id: userId, now: timestamp(clock.now()), newest, kept: config.maxSessions - 1 }
    const [cutoff] = await store.cutoffOfSessions(trx, rule)
    return cutoff ?? null
  }

  /** Ends a batch of surplus sessions. Returns their ids, and whether there may be more. */
  async function endSurplus(trx: Db, userId: string, newest: string, cutoff: store.Cutoff) {
    const now = timestamp(clock.now())
    const ids = await store.sessionsUpToCutoff(trx, userId, now, { cutoff, newest, limit: SURPLUS_BATCH })
    if (ids.length > 0) await store.endTheseSessions(trx, ids, now, 'superseded' satisfies EndReason)
    return { ids, hasMore: ids.length === SURPLUS_BATCH }
  }

  return { surplusCutoff, endSurplus }
}
