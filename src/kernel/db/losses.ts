import { sql } from 'kysely'
import { type Db, engineOf } from './database.ts'

/** A table, or a column of a remaining table, that a schema change drops, with its number of rows or non-null values. */
export interface Loss {
  table: string
  column: string | null
  rows: number
}

interface Column {
  table: string
  column: string
}

/** Returns the columns of all tables, except SQLite's internal tables. */
export async function columnsOf(db: Db): Promise<Column[]> {
  const { rows } = await (engineOf(db) === 'postgres'
    ? sql<Column>`select table_name as "table", column_name as "column" from information_schema.columns
        where table_schema = current_schema() order by table_name, ordinal_position`
    : sql<Column>`select list.name as "table", info.name as "column"
        from pragma_table_list list join pragma_table_info(list.name) info
        where list.schema = 'main' and list.type = 'table' and list.name not like 'sqlite_%'
        order by list.name, info.cid`
  ).execute(db)
  return rows
}

/** Returns the tables and columns of `before` that are missing in `after`, counted in `db`, where they still exist. */
export async function lossesBetween(db: Db, before: Column[], after: Column[]): Promise<Loss[]> {
  const remaining = new Set(after.map(({ table, column }) => `${table}.${column}`))
  const remainingTables = new Set(after.map(({ table }) => table))
  const losses: Loss[] = []
  const count = async (table: string, column: string | null) => {
    const { rows } = await (column
      ? sql<{ count: number }>`select count(${sql.ref(column)}) as count from ${sql.table(table)}`
      : sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`
    ).execute(db)
    losses.push({ table, column, rows: Number(rows[0]?.count) })
  }
  for (const { table, column } of before) {
    if (remaining.has(`${table}.${column}`)) continue
    if (remainingTables.has(table)) await count(table, column)
    else if (!losses.some((loss) => loss.table === table)) await count(table, null)
  }
  return losses
}
