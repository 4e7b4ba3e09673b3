import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'
import type { ColumnTypes } from '../kernel/db/migrator.ts'

export async function up(db: Db, { engine, id, time, key, strict }: ColumnTypes): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  await run(`alter table users add column delete_after ${time}`)
  await run('create index users_delete_after on users (delete_after) where delete_after is not null')

  await run(`create table one_time_tokens (
    token_hash ${key} primary key,
    user_id ${id} not null references users (id) on delete cascade,
    kind text not null,
    email text not null,
    created_at ${time} not null,
    expires_at ${time} not null,
    constraint one_time_tokens_one_of_a_kind unique (user_id, kind)
  ) ${strict}`)
  await run('create index one_time_tokens_expires_at on one_time_tokens (expires_at)')

  await run(`create table outbox (
    id ${id} primary key,
    user_id ${id} references users (id) on delete cascade,
    kind text not null,
    locale text not null,
    recipient text not null,
    payload text,
    created_at ${time} not null,
    next_try_at ${time} not null,
    tries integer not null default 0,
    claimed_until ${time} not null,
    sent_at ${time},
    failed_at ${time},
    last_error text
  ) ${strict}`)
  await run('create index outbox_waiting on outbox (next_try_at) where sent_at is null and failed_at is null')
  await run('create index outbox_user_id on outbox (user_id)')
  await run('create index outbox_created_at on outbox (created_at)')

  // No foreign keys: what was done stays written after the people are gone.
  await run(`create table audit_events (
    id ${id} primary key,
    at ${time} not null,
    action text not null,
    outcome text not null,
    actor_type text not null,
    actor_id ${id},
    target_id ${id},
    session_id ${id},
    request_id text,
    ip text,
    user_agent text,
    details text not null
  ) ${strict}`)
  for (const column of ['actor_id', 'target_id', 'action'])
    await run(`create index audit_events_${column} on audit_events (${column}, id)`)
  await run('create index audit_events_at on audit_events (at)')
  // Append only: not even a fault of ours changes what was written (ASVS 16.4.2).
  if (engine === 'sqlite')
    await run(`create trigger audit_events_append_only before update on audit_events begin
      select raise(abort, 'audit events are append only'); end`)
  else {
    await run(`create function audit_events_append_only() returns trigger language plpgsql as
      $$ begin raise exception 'audit events are append only'; end $$`)
    await run(`create trigger audit_events_append_only before update on audit_events
      for each row execute function audit_events_append_only()`)
  }

  await run('create index sessions_ended_at on sessions (ended_at) where ended_at is not null')
  await run(`create table leases (name text primary key, holder text not null, until ${time} not null) ${strict}`)
}

export async function down(db: Db, { engine }: ColumnTypes): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  for (const table of ['leases', 'audit_events', 'outbox', 'one_time_tokens']) await run(`drop table ${table}`)
  if (engine === 'postgres') await run('drop function audit_events_append_only')
  await run('drop index sessions_ended_at')
  await run('drop index users_delete_after')
  await run('alter table users drop column delete_after')
}
