import type { Database } from '../../kernel/db/database.ts'
import { type Generations, parseGenerations } from './generations.ts'
import { type IdentityRow, identityBySession } from './sessions.store.ts'

const KEPT = 10_000

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
  const known = new Map<string, StoredIdentity>()
  let version: number | null = null

  /**
   * Asks the engine each time (2 µs): one turn of the event loop can bring a request that was sent after an answer of the
   * same turn, when a connection is read on for longer than the answer takes to its client.
   */
  function forgetWhatIsOld(): void {
    const now = database.dataVersion()
    if (now !== version) {
      known.clear()
      version = now
    }
  }

  function remember(sessionId: string, identity: StoredIdentity): StoredIdentity {
    if (known.size >= KEPT) known.clear()
    known.set(sessionId, identity)
    return identity
  }

  return {
    find(sessionId: string): Promise<StoredIdentity | undefined> | (StoredIdentity | undefined) {
      forgetWhatIsOld()
      const row = known.get(sessionId) ?? database.first(identityBySession, { id: sessionId })
      if (row instanceof Promise) return row.then((found) => found && read(found))
      if (row === undefined || 'row' in row) return row
      return remember(sessionId, read(row))
    },
  }
}

const read = (row: IdentityRow): StoredIdentity => ({
  row,
  generations: parseGenerations(row),
  expiresAt: Date.parse(row.expires_at),
})
