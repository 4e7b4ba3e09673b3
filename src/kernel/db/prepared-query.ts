import type { Compilable, CompiledQuery, InsertResult, UpdateResult } from 'kysely'
import { type Db, type Engine, engineOf, type Params, type PreparedQuery } from './database.ts'

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
