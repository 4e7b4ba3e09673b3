import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFileSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import pg from 'pg'
import { migrate } from '../../../src/app.ts'
import { loadConfig } from '../../../src/settings/config.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { findBinaries, unprivilegedUser } from '../../support/postgres-binaries.ts'
import { afterThisProcess, freePort } from '../../support/processes.ts'

const exec = promisify(execFile)
const bin = await findBinaries()

async function query(url: string, sql: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client.query(sql).finally(() => client.end())
}

const addUser = (url: string, email: string) =>
  query(
    url,
    `insert into users (id, email, email_key, name, name_key, search_text, role, is_active, email_verified, locale, created_at, updated_at, last_login_at)
     values (gen_random_uuid(), '${email}', '${email}', 'Anna', 'anna', 'anna', 'user', true, false, 'en', now(), now(), '1970-01-01')`,
  )

/** The ways that docs/operations.md tells for PostgreSQL, as it tells them. */
describe('Backups of PostgreSQL', { skip: bin ? false : 'PostgreSQL is not installed' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-pg-backup-'))
  let owner: Awaited<ReturnType<typeof unprivilegedUser>>
  let cluster: Postgres
  let url: string
  before(async () => {
    owner = await unprivilegedUser()
    mkdirSync(join(folder, 'archive'))
    for (const path of [folder, join(folder, 'archive')]) if (owner) chownSync(path, owner.uid, owner.gid)
    cluster = (await startPostgres({
      settings: { archive_mode: 'on', archive_command: `test ! -f ${folder}/archive/%f && cp %p ${folder}/archive/%f` },
    })) as Postgres
    url = await cluster.createDatabase('live')
    await migrate(loadConfig({ DATABASE_URL: url, APP_SECRET: 'A'.repeat(43) }))
    await addUser(url, 'anna@example.org')
  })
  after(async () => {
    await cluster.stop('immediate')
    rmSync(folder, { recursive: true, force: true })
  })

  test('pg_dump and pg_restore give equal rows and no pending migrations', async () => {
    const file = join(folder, 'dump')
    await exec(join(bin as string, 'pg_dump'), ['--format=custom', `--file=${file}`, url])
    const restored = await cluster.createDatabase('restored')
    await exec(join(bin as string, 'pg_restore'), ['--clean', '--if-exists', `--dbname=${restored}`, file])
    const tables = await query(url, "select tablename from pg_tables where schemaname = 'public'")
    assert.ok(tables.rows.length > 5)
    for (const { tablename } of tables.rows) {
      const sql = `select to_jsonb(t)::text as row from "${tablename}" t order by 1`
      assert.deepEqual((await query(restored, sql)).rows, (await query(url, sql)).rows, tablename)
    }
    assert.deepEqual(await migrate(loadConfig({ DATABASE_URL: restored, APP_SECRET: 'A'.repeat(43) })), [])
  })

  test('a base backup and the archived WAL restore the moment before a mistake', async () => {
    const data = join(folder, 'data')
    const as = { ...owner, cwd: folder }
    await exec(join(bin as string, 'pg_basebackup'), ['-D', data, '-c', 'fast', '-d', cluster.url], as)
    await addUser(url, 'boris@example.org')
    const [{ moment }] = (await query(url, 'select clock_timestamp()::text as moment')).rows
    await query(url, 'delete from users')
    await query(url, 'select pg_switch_wal()')
    await cluster.stop('fast')

    const port = await freePort()
    writeFileSync(join(data, 'recovery.signal'), '')
    appendFileSync(
      join(data, 'postgresql.conf'),
      `port = ${port}\narchive_mode = off\nrestore_command = 'cp ${folder}/archive/%f %p'\nrecovery_target_time = '${moment}'\nrecovery_target_action = promote\n`,
    )
    const pgCtl = (...args: string[]) =>
      exec(join(bin as string, 'pg_ctl'), [...args, '--wait', '--silent', '-D', data], as)
    const guard = afterThisProcess('"$0/pg_ctl" stop -m immediate -D "$1"', [bin as string, data], as)
    await pgCtl('start', '-l', join(folder, 'log'))
    const recovered = url.replace(`:${cluster.port}/`, `:${port}/`)
    const { rows } = await query(recovered, 'select email from users order by 1')
    assert.deepEqual(rows, [{ email: 'anna@example.org' }, { email: 'boris@example.org' }])
    await pgCtl('stop', '-m', 'immediate')
    guard.kill('SIGKILL')
    await cluster.start()
  })
})
