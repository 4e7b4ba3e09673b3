import type { Database } from '../../kernel/db/database.ts'
import { type IdentityRow, identityBySession } from './sessions.store.ts'

const KEPT = 10_000

/**
 * Session and user of a request, as they are now. Where the engine tells for almost nothing that no commit has happened
 * since (SQLite's `data_version`, asked on every request), the row of before is exact and is used again; anywhere else
 * each request reads it.
 */
export function createIdentities(database: Database) {
  const rows = new Map<string, IdentityRow>()
  let version: number | null = null
  return {
    find(sessionId: string): Promise<IdentityRow | undefined> | (IdentityRow | undefined) {
      const now = database.dataVersion()
      if (now === null) return database.first(identityBySession, { id: sessionId })
      if (now !== version) {
        rows.clear()
        version = now
      }
      const known = rows.get(sessionId)
      if (known) return known
      const row = database.first(identityBySession, { id: sessionId }) as IdentityRow | undefined
      if (row) {
        if (rows.size >= KEPT) rows.clear()
        rows.set(sessionId, row)
      }
      return row
    },
  }
}
