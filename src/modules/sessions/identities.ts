import { LRUCache } from 'lru-cache'
import type { Database } from '../../kernel/db/database.ts'
import { type Generations, parseGenerations } from './generations.ts'
import { type IdentityRow, identityBySession } from './sessions.store.ts'

const MAX_CACHED_IDENTITIES = 10_000

/** Session and user as they are stored, and what every request asks of them, worked out once. */
export interface StoredIdentity {
  row: IdentityRow
  generations: Generations
  /** Milliseconds since 1970. */
  expiresAt: number
}

/**
 * Session and user of a request, as they are now. Where the engine tells for almost nothing that no commit has happened
 * since (SQLite's `data_version`, asked on every request), the row of before is exact and is used again; anywhere else
 * each request reads it.
 */
export function createIdentities(database: Database) {
  const cache = new LRUCache<string, { identity: StoredIdentity; version: number }>({ max: MAX_CACHED_IDENTITIES })

  return {
    /**
     * Asks the engine for its version each time (2 µs): one turn of the event loop can bring a request that was sent after an
     * answer of the same turn.
     */
    find(sessionId: string): Promise<StoredIdentity | undefined> | (StoredIdentity | undefined) {
      const version = database.dataVersion()
      const cached = version === null ? undefined : cache.get(sessionId)
      if (cached?.version === version) return cached?.identity
      const row = database.first(identityBySession, { id: sessionId })
      if (row instanceof Promise) return row.then((found) => found && read(found))
      if (row === undefined) return undefined
      const identity = read(row)
      if (version !== null) cache.set(sessionId, { identity, version })
      return identity
    },
  }
}

const read = (row: IdentityRow): StoredIdentity => ({
  row,
  generations: parseGenerations(row),
  expiresAt: Date.parse(row.expires_at),
})
