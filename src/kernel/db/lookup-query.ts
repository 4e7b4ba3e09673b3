import { type Compilable, type Expression, type SqlBool, sql } from 'kysely'
import { type Db, engineOf, type LookupQuery } from './database.ts'
import { preparedQuery } from './prepared-query.ts'

/**
 * Declares a query for rows by a unique key, which `Database.lookup` runs. `build` gets the condition for the column of
 * the key: equal to one key on SQLite, to any of several on PostgreSQL.
 */
export const lookupQuery = <R>(
  statement: string,
  build: (db: Db, isKey: (column: string) => Expression<SqlBool>) => Compilable<R>,
): LookupQuery<R> =>
  preparedQuery(statement, (db, p) =>
    build(db, (column) =>
      engineOf(db) === 'sqlite'
        ? sql<SqlBool>`${sql.ref(column)} = ${p('keys')}`
        : sql<SqlBool>`${sql.ref(column)} = any(${p('keys')})`,
    ),
  )
