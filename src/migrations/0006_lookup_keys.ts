import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'
import type { ColumnTypes } from '../kernel/db/migrator.ts'

export async function up(db: Db, { time, key, strict }: ColumnTypes): Promise<void> {
  await sql
    .raw(`create table lookup_keys (
      secret_id ${key} primary key,
      sealed text not null,
      created_at ${time} not null
    ) ${strict}`)
    .execute(db)
}

export async function down(db: Db): Promise<void> {
  await sql`drop table lookup_keys`.execute(db)
}
