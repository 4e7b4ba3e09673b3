import { type Kysely, PostgresAdapter } from 'kysely'
import type { Tables } from './tables.ts'

/** The query builder, or a transaction of it: what every store function takes first. */
export type Db = Kysely<Tables>
export type Engine = 'sqlite' | 'postgres'

export type Params = Record<string, unknown>

/** A query that is built and compiled once for each engine, and prepared once on each connection. */
export interface PreparedQuery<P extends Params, R> {
  (db: Db, params: P): Promise<R[]>
  readonly statement: string
  /** The SQL for an engine, and the names of its values in their order. */
  compiled(db: Db): { sql: string; names: string[] }
}

/** A database that is open. Made by `openDatabase` in `open.ts`. */
export interface Database {
  readonly engine: Engine
  readonly db: Db
  /**
   * For reads whose work grows with what is stored: lists, exports. Each has a deadline that interrupts it, and on SQLite
   * runs outside of this process; each sees what was committed before it began. It takes no writes and no transactions.
   */
  readonly reads: Db
  /**
   * Runs `work` in one transaction (SQLite: BEGIN IMMEDIATE, so that read-then-write cannot be torn apart). Where
   * PostgreSQL has to end it for the sake of another one, `work` is done again: it must change nothing but by its `trx`.
   */
  transaction<T>(work: (trx: Db) => Promise<T>): Promise<T>
  /** The first row of a prepared query, outside of any transaction, on the shortest way that the engine has. */
  first<P extends Params, R>(query: PreparedQuery<P, R>, params: P): Promise<R | undefined> | (R | undefined)
  /** A number that differs after any commit by anybody; null where the engine has no such thing at hand. */
  dataVersion(): number | null
  /** Renews what the planner goes by, where the engine does not do so by itself. May take seconds: not while serving. */
  optimize(): Promise<void>
  /** Throws when the database does not answer. */
  ping(): Promise<void>
  close(): Promise<void>
}

/** Which engine a query builder or transaction talks to. */
export const engineOf = (db: Db): Engine =>
  db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite'
