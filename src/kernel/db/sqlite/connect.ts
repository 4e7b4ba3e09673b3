import BetterSqlite, { type Database } from 'better-sqlite3'

/** Busy timeout while connecting: another process may be in recovery or at its last checkpoint, in milliseconds. */
const CONNECT_TIMEOUT_MS = 2000

/** Opens a connection with the settings of the service. Throws an Error if SQLite does not apply one of them. */
export function connect(file: string, readonly: boolean): Database {
  const connection = new BetterSqlite(file, { readonly, timeout: CONNECT_TIMEOUT_MS })
  if (!readonly) connection.pragma('journal_mode = WAL')
  connection.pragma('synchronous = FULL')
  connection.pragma('foreign_keys = ON')
  connection.pragma('cache_size = -32768')
  connection.pragma('temp_store = MEMORY')
  connection.pragma('analysis_limit = 400') // Rows that `optimize` reads of each index.
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
