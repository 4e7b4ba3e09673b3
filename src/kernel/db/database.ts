import { type Compilable, type CompiledQuery, type Kysely, PostgresAdapter, sql } from 'kysely'
import type { Config } from '../config.ts'
import { deadlinesOf, PATIENT } from '../deadlines.ts'
import type { Tables } from './schema.ts'

/** The query builder, or a transaction of it: what every store function takes first. */
export type Db = Kysely<Tables>
export type Engine = 'sqlite' | 'postgres'

/** A database that is open. Made by `openDatabase`. */
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
  /** The first row of a hot query, outside of any transaction, on the shortest way that the engine has. */
  first<P extends Params, R>(query: HotQuery<P, R>, params: P): Promise<R | undefined> | (R | undefined)
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

type Params = Record<string, unknown>
/** Stands in a query for a value that is given when it runs. Typed `any`, as it fits every column. */
// biome-ignore lint/suspicious/noExplicitAny: a placeholder takes the type of the column that it is compared with
type Placeholder = any
class Named {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** A query that is built and compiled once for each engine, and prepared once on each connection. */
export interface HotQuery<P extends Params, R> {
  (db: Db, params: P): Promise<R[]>
  readonly statement: string
  /** The SQL for an engine, and the names of its values in their order. */
  compiled(db: Db): { sql: string; names: string[] }
}

/** SQL → statement name, for the queries that PostgreSQL should plan once per connection. */
export const namedStatements = new Map<string, string>()

/**
 * Declares a hot query. `build` gets `p('name')` for each value; the query runs as `query(db, { name: … })`.
 * Building and compiling costs more than running a point query does, so it is done once.
 */
export function hot<P extends Params, R>(
  statement: string,
  build: (db: Db, p: (name: keyof P & string) => Placeholder) => Compilable<R>,
): HotQuery<P, R> {
  const byEngine: Partial<Record<Engine, { query: CompiledQuery<R>; sql: string; names: string[] }>> = {}
  const compiled = (db: Db) => {
    const engine = engineOf(db)
    let known = byEngine[engine]
    if (!known) {
      const query = build(db, (name) => new Named(name)).compile()
      const names = query.parameters.map((parameter) => {
        if (!(parameter instanceof Named)) throw new Error(`${statement}: a value that is not a placeholder`)
        return parameter.name
      })
      known = { query, sql: query.sql, names }
      byEngine[engine] = known
      if (engine === 'postgres') namedStatements.set(query.sql, statement)
    }
    return known
  }
  const run = async (db: Db, params: P): Promise<R[]> => {
    const { query, names } = compiled(db)
    const result = await db.executeQuery<R>({ ...query, parameters: names.map((name) => params[name]) })
    return result.rows
  }
  return Object.assign(run, { statement, compiled })
}

/**
 * Opens the database of a configuration; `patient` with the deadlines of migrations instead of those of requests.
 * Throws DatabaseError naming what is wrong and where.
 */
export async function openDatabase(
  { database, requestTimeout }: Pick<Config, 'database' | 'requestTimeout'>,
  { patient = false } = {},
): Promise<Database> {
  const deadlines = patient ? PATIENT : deadlinesOf(requestTimeout)
  // Each engine is loaded only where it is used: half the start-up time.
  if (database.engine === 'sqlite') {
    const { openSqlite } = await import('./sqlite.ts')
    return openSqlite(database.file, deadlines)
  }
  const { openPostgres } = await import('./postgres.ts')
  return openPostgres(database.url, { poolSize: database.poolSize, deadlines })
}

/** Whether a table has a row; one that is not there yet has none. */
export async function hasRows({ db }: Database, table: keyof Tables): Promise<boolean> {
  const tables = await db.introspection.getTables()
  if (!tables.some(({ name }) => name === table)) return false
  const row = await db.selectFrom(table).select(sql.lit(1).as('one')).limit(1).executeTakeFirst()
  return row !== undefined
}
