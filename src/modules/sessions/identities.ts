import { LRUCache } from 'lru-cache'
import type { Database } from '../../kernel/db/database.ts'
import { type Generations, parseGenerations } from './generations.ts'
import { type IdentityRow, identityBySession } from './sessions.store.ts'

const MAX_CACHED_IDENTITIES = 10_000

/** Session and user as stored, with parsed values. */
export interface StoredIdentity {
  row: IdentityRow
  generations: Generations
  /** Milliseconds since 1970. */
  expiresAt: number
}

/**
 * Reads session and user of each request. With SQLite, a row is reused while `data_version` shows that nothing has been
 * committed since: docs/decisions/0003.
 */
export function createIdentities(database: Database) {
  const cache = new LRUCache<string, { identity: StoredIdentity; version: number }>({ max: MAX_CACHED_IDENTITIES })

  return {
    /**
     * Reads `data_version` each time (2 µs): one iteration of the event loop can contain a request that was sent after
     * a response of the same iteration.
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
