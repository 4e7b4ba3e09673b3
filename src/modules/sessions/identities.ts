import { LRUCache } from 'lru-cache'
import type { Database } from '../../kernel/db/database.ts'
import { gathered } from '../../kernel/lib/gathered.ts'
import { type Generations, parseGenerations } from './generations.ts'
import { type IdentityRow, identitiesBySession } from './sessions.store.ts'

const MAX_CACHED_IDENTITIES = 10_000
/** Maximum number of sessions in one query. */
const MAX_GATHERED = 500

/** Session and user as stored, with parsed values. */
export interface StoredIdentity {
  row: IdentityRow
  generations: Generations
  /** Milliseconds since 1970. */
  expiresAt: number
}

/**
 * Reads session and user of each request, for all requests of one turn of the event loop together. With SQLite, a row is
 * reused while `data_version` shows that nothing has been committed since: docs/decisions/0003.
 */
export function createIdentities(database: Database) {
  const read = database.lookup(identitiesBySession)
  const cache = new LRUCache<string, { identity: StoredIdentity; version: number }>({ max: MAX_CACHED_IDENTITIES })

  async function findAll(ids: string[]): Promise<Map<string, StoredIdentity>> {
    const found = new Map<string, StoredIdentity>()
    const version = database.dataVersion()
    const unknown = ids.filter((id) => {
      const cached = version === null ? undefined : cache.get(id)
      if (cached?.version !== version || !cached) return true
      found.set(id, cached.identity)
      return false
    })
    for (const row of unknown.length > 0 ? await read(unknown) : []) {
      const identity = parse(row)
      found.set(row.session_id, identity)
      if (version !== null) cache.set(row.session_id, { identity, version })
    }
    return found
  }

  return { find: gathered(findAll, MAX_GATHERED) }
}

const parse = (row: IdentityRow): StoredIdentity => ({
  row,
  generations: parseGenerations(row),
  expiresAt: Date.parse(row.expires_at),
})
