import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'

/** Nothing that an older version reads or writes is changed. */
export const compatibleFrom = 4

export async function up(db: Db): Promise<void> {
  await sql`alter table schema_migrations add column compatible_from integer`.execute(db)
}

export async function down(db: Db): Promise<void> {
  await sql`alter table schema_migrations drop column compatible_from`.execute(db)
}
