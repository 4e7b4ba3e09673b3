import type { Database as Connection, Statement } from 'better-sqlite3'
import { LRUCache } from 'lru-cache'

const MAX_CACHED_STATEMENTS = 500

/** A prepared statement that binds booleans, which SQLite does not have, as 0 and 1. */
export interface CachedStatement {
  readonly reader: boolean
  get(values: readonly unknown[]): unknown
  all(values: readonly unknown[]): unknown[]
  run(values: readonly unknown[]): ReturnType<Statement['run']>
  iterate(values: readonly unknown[]): IterableIterator<unknown>
}

export type Statements = (sql: string) => CachedStatement

/** Returns a function that prepares each SQL text once per connection, in an LRU cache. */
export function cachedStatements(connection: Connection): Statements {
  const cache = new LRUCache<string, CachedStatement>({ max: MAX_CACHED_STATEMENTS })
  return (sql) => {
    const hit = cache.get(sql)
    if (hit) return hit
    const statement = connection.prepare(sql)
    const cached: CachedStatement = {
      reader: statement.reader,
      get: (values) => statement.get(bindable(values)),
      all: (values) => statement.all(bindable(values)),
      run: (values) => statement.run(bindable(values)),
      iterate: (values) => connection.prepare(sql).iterate(bindable(values)) as IterableIterator<unknown>,
    }
    cache.set(sql, cached)
    return cached
  }
}

const bindable = (values: readonly unknown[]): unknown[] =>
  values.map((value) => (typeof value === 'boolean' ? Number(value) : value))
