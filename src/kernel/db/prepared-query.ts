import type { Compilable, CompiledQuery } from 'kysely'
import { type Db, type Engine, engineOf, type Params, type PreparedQuery } from './database.ts'

/** Stands in a query for a value that is given when it runs. Typed `any`, as it fits every column. */
// biome-ignore lint/suspicious/noExplicitAny: a placeholder takes the type of the column that it is compared with
type Placeholder = any
class Named {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/** SQL → statement name, for the queries that PostgreSQL should plan once per connection. */
export const namedStatements = new Map<string, string>()

/**
 * Declares a prepared query. `build` gets `p('name')` for each value; the query runs as `query(db, { name: … })`.
 * Building and compiling costs more than running a point query does, so it is done once.
 */
export function preparedQuery<P extends Params, R>(
  statement: string,
  build: (db: Db, p: (name: keyof P & string) => Placeholder) => Compilable<R>,
): PreparedQuery<P, R> {
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
