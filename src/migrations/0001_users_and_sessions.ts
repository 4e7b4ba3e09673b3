import { sql } from 'kysely'
import type { Db } from '../kernel/db/database.ts'
import type { ColumnTypes } from '../kernel/db/migrator.ts'

export async function up(db: Db, { engine, id, time, flag, key, strict }: ColumnTypes): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(db)
  // SQLite's full-text index refers to rows by a number, which must be a column: VACUUM may change a hidden rowid.
  const identity = engine === 'sqlite' ? `seq integer primary key, id ${id} not null unique` : `id ${id} primary key`
  await run(`create table users (
    ${identity},
    email text not null,
    email_key ${key} not null constraint users_email_key_unique unique,
    name text not null,
    name_key ${key} not null,
    search_text ${key} not null,
    password_hash text,
    role text not null default 'user' check (role in ('user', 'admin')),
    is_active ${flag} not null,
    email_verified ${flag} not null,
    locale text not null,
    version integer not null default 1,
    created_at ${time} not null,
    updated_at ${time} not null,
    last_login_at ${time} not null
  ) ${strict}`)
  // One index for each order of the list, and one for all its filters; `users.store.ts` says which is used when.
  for (const column of ['created_at', 'name_key', 'last_login_at'])
    await run(`create index users_${column} on users (${column}, id)`)
  await run('create index users_flags on users (role, is_active, email_verified, created_at, id)')

  if (engine === 'sqlite') {
    await run(`create virtual table users_search using fts5 (
      search_text, content = 'users', content_rowid = 'seq', tokenize = 'trigram case_sensitive 1', detail = full)`)
    await run(`create trigger users_search_insert after insert on users begin
      insert into users_search (rowid, search_text) values (new.seq, new.search_text); end`)
    await run(`create trigger users_search_delete after delete on users begin
      insert into users_search (users_search, rowid, search_text) values ('delete', old.seq, old.search_text); end`)
    await run(`create trigger users_search_update after update of search_text on users
      when old.search_text <> new.search_text begin
      insert into users_search (users_search, rowid, search_text) values ('delete', old.seq, old.search_text);
      insert into users_search (rowid, search_text) values (new.seq, new.search_text); end`)
  } else {
    await run('create extension if not exists pg_trgm')
    await run('create index users_search on users using gin (search_text gin_trgm_ops)')
  }

  await run(`create table sessions (
    id ${id} primary key,
    user_id ${id} not null references users (id) on delete cascade,
    generation integer not null,
    seen text not null,
    device_id text,
    app_type text,
    app_version text,
    user_agent text,
    ip text,
    created_at ${time} not null,
    last_used_at ${time} not null,
    expires_at ${time} not null,
    ended_at ${time},
    end_reason text
  ) ${strict}`)
  await run('create index sessions_user_id on sessions (user_id)')
  await run('create index sessions_expires_at on sessions (expires_at)')
}

export async function down(db: Db, { engine }: ColumnTypes): Promise<void> {
  if (engine === 'sqlite') await sql`drop table users_search`.execute(db)
  await sql`drop table sessions`.execute(db)
  await sql`drop table users`.execute(db)
}
