import type { Db } from '../../kernel/db/database.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import type { Config } from '../../settings/config.ts'
import * as store from './sessions.store.ts'
import type { EndReason } from './sessions.tables.ts'

/** So many are ended in one transaction. */
const SURPLUS_BATCH = 1000

/** The sessions of a user beyond MAX_SESSIONS: those that were used longest ago. */
export function createSurplus({ clock, config }: { clock: Clock; config: Pick<Config, 'maxSessions'> }) {
  /** Where the sessions of a user begin that are too many beside the `newest`; null where none is. */
  const surplusOf = async (trx: Db, userId: string, newest: string): Promise<store.Edge | null> =>
    (await store.edgeOfSessions(trx, userId, timestamp(clock.now()), { newest, kept: config.maxSessions - 1 })) ?? null

  /** Ends a batch of the surplus, and says which, and whether there may be more. */
  async function endSurplus(trx: Db, userId: string, newest: string, edge: store.Edge) {
    const now = timestamp(clock.now())
    const ids = await store.sessionsBeyond(trx, userId, now, { edge, newest, limit: SURPLUS_BATCH })
    if (ids.length > 0) await store.endTheseSessions(trx, ids, now, 'superseded' satisfies EndReason)
    return { ids, hasMore: ids.length === SURPLUS_BATCH }
  }

  return { surplusOf, endSurplus }
}
