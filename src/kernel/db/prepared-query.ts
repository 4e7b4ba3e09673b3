import type { Compilable, CompiledQuery, Insertable, InsertResult, Kysely, Updateable, UpdateResult } from 'kysely'
import { type Db, type Engine, engineOf, type Params, type PreparedQuery } from './database.ts'
import type { Tables } from './tables.ts'

/** A placeholder for a parameter. */
// biome-ignore lint/suspicious/noExplicitAny: a placeholder takes the type of the column that it is compared with
type Placeholder = any
class Named {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** Statement names by SQL, for queries that are sent to PostgreSQL as named statements. */
export const namedStatements = new Map<string, string>()

/**
 * Declares a prepared query: `build` uses `p('name')` for each parameter, and `query(db, { name: … })` runs it. It is
 * built and compiled once per engine, which costs more than running a query for one row.
 */
export function preparedQuery<P extends Params, R>(
  statement: string,
  build: (
    db: Db,
    p: (name: keyof P & string) => Placeholder,
  ) => Compilable<R> | Compilable<UpdateResult> | Compilable<InsertResult>,
): PreparedQuery<P, R> {
  const byEngine: Partial<Record<Engine, { query: CompiledQuery<R>; sql: string; names: string[] }>> = {}
  const compiled = (db: Db) => {
    const engine = engineOf(db)
    let entry = byEngine[engine]
    if (!entry) {
      const query = build(db, (name) => new Named(name)).compile() as CompiledQuery<R>
      const names = query.parameters.map((parameter) => {
        if (!(parameter instanceof Named)) throw new Error(`${statement}: a value that is not a placeholder`)
        return parameter.name
      })
      entry = { query, sql: query.sql, names }
      byEngine[engine] = entry
      if (engine === 'postgres') namedStatements.set(query.sql, statement)
    }
    return entry
  }
  const run = async (db: Db, params: P): Promise<R[]> => {
    const { query, names } = compiled(db)
    const result = await db.executeQuery<R>({ ...query, parameters: names.map((name) => params[name]) })
    return result.rows
  }
  return Object.assign(run, { statement, compiled })
}

/** Returns a prepared query for each set of columns: the names of the columns of a row whose values are not undefined. */
function byColumns(build: (columns: string[], number: number) => PreparedQuery<Params, unknown>) {
  const queries = new Map<string, PreparedQuery<Params, unknown>>()
  return (db: Db, row: Params, more: Params = {}) => {
    const columns = Object.keys(row).filter((column) => row[column] !== undefined)
    const key = columns.join()
    const query = queries.get(key) ?? build(columns, queries.size)
    queries.set(key, query)
    return query(db, { ...row, ...more })
  }
}

const placeholders = (columns: string[], p: (name: string) => Placeholder) =>
  Object.fromEntries(columns.map((column) => [column, p(column)]))

/** Declares an insertion of a row, prepared once for each set of columns. */
export function preparedInsert<T extends keyof Tables>(statement: string, table: T) {
  const insert = byColumns((columns, number) =>
    preparedQuery(`${statement}_${number}`, (db, p) =>
      db.insertInto(table).values(placeholders(columns, p) as Insertable<Tables[T]>),
    ),
  )
  return (db: Db, row: Insertable<Tables[T]>) => insert(db, row as Params)
}

/** Declares an update of the row with an id, prepared once for each set of columns. */
export function preparedUpdate<T extends keyof Tables>(statement: string, table: T) {
  const update = byColumns((columns, number) =>
    preparedQuery(`${statement}_${number}`, (db, p) =>
      (db as unknown as Kysely<Record<string, { id: string }>>)
        .updateTable(table as string)
        .set(placeholders(columns, p))
        .where('id', '=', p('where_id')),
    ),
  )
  return (db: Db, id: string, changes: Updateable<Tables[T]>) => update(db, changes as Params, { where_id: id })
}
