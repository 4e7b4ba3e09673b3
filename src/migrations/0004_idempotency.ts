import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'
import type { ColumnTypes } from '../kernel/db/migrator.ts'

export async function up(db: Db, { key, time, strict }: ColumnTypes): Promise<void> {
  await sql
    .raw(`create table idempotency_keys (
      id ${key} primary key,
      request ${key} not null,
      holder ${key} not null,
      answer text,
      expires_at ${time} not null
    ) ${strict}`)
    .execute(db)
  await sql`create index idempotency_keys_expires_at on idempotency_keys (expires_at)`.execute(db)
}

export async function down(db: Db): Promise<void> {
  await sql`drop table idempotency_keys`.execute(db)
}
