import { type Kysely, PostgresAdapter } from 'kysely'
import type { Tables } from './tables.ts'

/** A query builder or a transaction: the first parameter of store functions. */
export type Db = Kysely<Tables>
export type Engine = 'sqlite' | 'postgres'

export type Params = Record<string, unknown>

/** A query that is compiled once per engine and prepared once per connection; declared with `preparedQuery`. */
export interface PreparedQuery<P extends Params, R> {
  (db: Db, params: P): Promise<R[]>
  readonly statement: string
  /** The SQL for an engine, and the names of its parameters in order. */
  compiled(db: Db): { sql: string; names: string[] }
}

/** A prepared query for rows by a unique key; declared with `lookupQuery`. */
export type LookupQuery<R> = PreparedQuery<{ keys: unknown }, R>

/** An open database; see `openDatabase`. */
export interface Database {
  readonly engine: Engine
  readonly db: Db
  /**
   * For selects whose cost grows with the data, such as lists and exports. A deadline interrupts them, and on SQLite
   * they run in another process. They see what was committed before they began. No writes, no transactions.
   */
  readonly reads: Db
  /**
   * Runs `work` in a transaction (SQLite: BEGIN IMMEDIATE, so that reads and later writes are atomic). `work` runs
   * again after a deadlock or serialization failure in PostgreSQL, so it must have no effects except through `trx`.
   */
  transaction<T>(work: (trx: Db) => Promise<T>): Promise<T>
  /** Returns a function that finds the committed rows of some keys, bypassing Kysely; synchronously on SQLite. */
  lookup<R>(query: LookupQuery<R>): (keys: string[]) => Promise<R[]> | R[]
  /** Returns a number that changes with every commit of any process; null on PostgreSQL. */
  dataVersion(): number | null
  /** Updates the statistics of SQLite's query planner. May block for seconds: not for use while serving. */
  optimize(): Promise<void>
  /** Rejects if the database does not respond. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Returns the engine of a query builder or transaction. */
export const engineOf = (db: Db): Engine =>
  db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite'
