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
  let isAsked = false

  /**
   * Asks the engine once for all requests that one turn of the event loop has brought: none of them was sent after an
   * answer that tells of a later commit, since it would have come with a later turn.
   */
  function forgetWhatIsOld(): void {
    if (isAsked) return
    const now = database.dataVersion()
    if (now !== version) {
      known.clear()
      version = now
    }
    if (now === null) return
    isAsked = true
    setImmediate(() => {
      isAsked = false
    })
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
