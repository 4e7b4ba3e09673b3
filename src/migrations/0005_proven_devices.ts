import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'
import type { ColumnTypes } from '../kernel/db/migrator.ts'

export async function up(db: Db, { id }: ColumnTypes): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  await run(`alter table sessions add column known_device_id ${id}`)
  await run('alter table sessions add column browser_cookie text')
  await run(`update sessions set browser_cookie = 'none'
    where ended_at is null and (app_type = 'web' or user_agent like 'Mozilla/%')`)
  await run('create index sessions_live on sessions (user_id) where ended_at is null')
  // What was known till now was claimed. The tokens of live sessions prove their device from the first sign-in on.
  await run('delete from known_devices')
  await run(`insert into known_devices (user_id, device, first_seen, last_seen)
    select user_id, cast(id as text), created_at, last_used_at from (
      select id, user_id, created_at, last_used_at,
        row_number() over (partition by user_id order by last_used_at desc, id desc) as place
      from sessions where ended_at is null
    ) as ranked where place <= 20`)
}

export async function down(db: Db): Promise<void> {
  await sql`delete from known_devices`.execute(db)
  await sql`drop index sessions_live`.execute(db)
  for (const column of ['browser_cookie', 'known_device_id'])
    await sql`alter table sessions drop column ${sql.ref(column)}`.execute(db)
}
