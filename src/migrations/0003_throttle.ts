import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'
import type { ColumnTypes } from '../kernel/db/migrator.ts'

export async function up(db: Db, { id, time, key, strict }: ColumnTypes): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  await run(`create table throttles (
    key ${key} primary key,
    count integer not null,
    last_at ${time} not null,
    expires_at ${time} not null
  ) ${strict}`)
  await run('create index throttles_expires_at on throttles (expires_at)')

  await run(`create table known_devices (
    user_id ${id} not null references users (id) on delete cascade,
    device ${key} not null,
    first_seen ${time} not null,
    last_seen ${time} not null,
    primary key (user_id, device)
  ) ${strict}`)
  await run('create index known_devices_last_seen on known_devices (last_seen)')
}

export async function down(db: Db): Promise<void> {
  for (const table of ['known_devices', 'throttles']) await sql`drop table ${sql.table(table)}`.execute(db)
}
