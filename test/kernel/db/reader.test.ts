import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import BetterSqlite from 'better-sqlite3'
import { sql } from 'kysely'
import { createSqliteReader } from '../../../src/kernel/db/sqlite/reader.ts'
import { openSqlite } from '../../../src/kernel/db/sqlite/sqlite.ts'
import { AppError } from '../../../src/kernel/errors/app-error.ts'
import { until } from '../../support/until.ts'

/** Counts for hours, without a row in between: nothing but the end of its process ends it. */
const ENDLESS = {
  sql: 'with recursive n (x) as (select 1 union all select x + 1 from n) select count(*) from n where x < 0',
  parameters: [],
}
const MIGRATION_DEADLINES = { lock: 20_000, statement: 30_000 }

describe('Reads in a separate process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-reader-'))
  const file = join(folder, 'test.db')
  let writer: BetterSqlite.Database
  before(() => {
    writer = new BetterSqlite(file)
    writer.pragma('journal_mode = WAL')
    writer.exec('create table t (n integer, flag integer, text text)')
  })
  after(() => {
    writer.close()
    rmSync(folder, { recursive: true })
  })

  const reason = (error: unknown) => (error instanceof AppError ? error.reason : String(error))
  function isAlive(pid: number): boolean {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  test('start the process on first use and see the latest commit', async () => {
    const reader = createSqliteReader(file, MIGRATION_DEADLINES)
    assert.deepEqual(reader.pids(), [])
    for (let n = 1; n <= 50; n++) {
      writer.prepare('insert into t values (?, ?, ?)').run(n, n % 2, 'ёж 😀\u2028')
      const rows = await reader.run({ sql: 'select count(*) as n from t', parameters: [] })
      assert.deepEqual(rows, [{ n }])
    }
    const [row] = await reader.run({ sql: 'select * from t where flag = ? and n > ?', parameters: [true, 40] })
    assert.deepEqual({ ...(row as object) }, { n: 41, flag: 1, text: 'ёж 😀\u2028' })
    assert.equal(reader.pids().length, 1, 'one after another they need one process')
    await reader.close()
  })

  test('are interrupted at their deadline without blocking, and the next read is answered', async () => {
    const reader = createSqliteReader(file, { lock: 20_000, statement: 1500 })
    let turns = 0
    const clock = setInterval(() => turns++, 10)
    const late = reader.run(ENDLESS).catch(reason)
    const other = reader.run({ sql: 'select 1 as one', parameters: [] })
    const [pid] = reader.pids() as [number]
    assert.deepEqual(
      (await other).map((row) => ({ ...(row as object) })),
      [{ one: 1 }],
      'another is not held up',
    )
    assert.equal(await late, 'deadline_exceeded')
    clearInterval(clock)
    assert.ok(turns > 20, `the event loop turned ${turns} times meanwhile`)
    await until(() => !isAlive(pid))
    assert.equal((await reader.run({ sql: 'select 1', parameters: [] })).length, 1)
    await reader.close()
  })

  test('run two at a time; a read that waits too long or behind a hundred others gets 503', async () => {
    const reader = createSqliteReader(file, { lock: 300, statement: 30_000 })
    const endless = [reader.run(ENDLESS).catch(reason), reader.run(ENDLESS).catch(reason)]
    const many = Array.from({ length: 150 }, () => reader.run({ sql: 'select 1', parameters: [] }).catch(reason))
    assert.deepEqual(new Set(await Promise.all(many)), new Set(['overloaded']))
    assert.equal(reader.pids().length, 2)
    await reader.close()
    assert.deepEqual(new Set(await Promise.all(endless)), new Set(['database_unavailable']))
  })

  test('work again after their process died', async () => {
    const reader = createSqliteReader(file, MIGRATION_DEADLINES)
    await reader.run({ sql: 'select 1', parameters: [] })
    for (let round = 0; round < 5; round++) {
      const read = reader.run(ENDLESS).catch(reason)
      process.kill(reader.pids()[0] as number, 'SIGKILL')
      assert.equal(await read, 'database_unavailable')
      assert.equal((await reader.run({ sql: 'select 1', parameters: [] })).length, 1)
    }
    await reader.close()
    assert.equal(await reader.run({ sql: 'select 1', parameters: [] }).catch(reason), 'shutting_down')
  })

  test('pass on the errors of SQLite and continue', async () => {
    const reader = createSqliteReader(file, MIGRATION_DEADLINES)
    await assert.rejects(reader.run({ sql: 'select nonsense from t', parameters: [] }), { code: 'SQLITE_ERROR' })
    await assert.rejects(reader.run({ sql: 'delete from t', parameters: [] }))
    assert.equal((await reader.run({ sql: 'select n from t', parameters: [] })).length, 50)
    await reader.close()
  })

  test('get no secrets from the environment and end only with their parent', async () => {
    process.env.APP_SECRET = 'a secret of the environment'
    const reader = createSqliteReader(file, MIGRATION_DEADLINES)
    await reader.run({ sql: 'select 1', parameters: [] })
    delete process.env.APP_SECRET
    const [pid] = reader.pids() as [number]
    if (process.platform === 'linux') assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /secret/)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal)
    assert.equal((await reader.run({ sql: 'select 1', parameters: [] })).length, 1)
    assert.deepEqual(reader.pids(), [pid])
    await reader.close()
    assert.ok(!isAlive(pid))
  })

  test('accept selects only and leave no files behind', async () => {
    const path = join(folder, 'other.db')
    const database = openSqlite(path, MIGRATION_DEADLINES)
    await sql`create table leases (name text, holder text, until text)`.execute(database.db)
    await database.db.insertInto('leases').values({ name: 'a', holder: 'b', until: 'c' }).execute()
    assert.equal((await database.reads.selectFrom('leases').selectAll().execute()).length, 1)
    await assert.rejects(database.reads.deleteFrom('leases').execute(), /selects only/)
    await assert.rejects(
      database.reads.transaction().execute(async () => {}),
      /no transaction/,
    )
    await database.close()
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('other')),
      ['other.db'],
    )
  })
})
