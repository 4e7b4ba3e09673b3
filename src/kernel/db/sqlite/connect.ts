import BetterSqlite, { type Database } from 'better-sqlite3'

/** While connecting, another process may be at recovery or at its last checkpoint, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000

/** A connection with the settings that all of ours have. Throws where SQLite does not take one of them. */
export function connect(file: string, readonly: boolean): Database {
  const connection = new BetterSqlite(file, { readonly, timeout: CONNECT_TIMEOUT_MS })
  if (!readonly) connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection.pragma('foreign_keys = ON')
  connection.pragma('cache_size = -32768')
  connection.pragma('temp_store = MEMORY')
  connection.pragma('analysis_limit = 400') // What `optimize` reads of each index.
  for (const [name, expected] of [
    ['journal_mode', 'wal'],
    ['synchronous', 2],
    ['foreign_keys', 1],
  ] as const) {
    const actual = connection.pragma(name, { simple: true })
    if (actual !== expected) throw new Error(`PRAGMA ${name} is ${actual}, not ${expected}`)
  }
  return connection
}
