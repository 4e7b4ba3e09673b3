import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { type Postgres, startPostgres } from './postgres.ts'
import { until } from './until.ts'

const query = async (url: string, text: string) => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

describe('A private PostgreSQL cluster', () => {
  let cluster: Postgres | null
  before(async () => {
    cluster = await startPostgres({ settings: { max_connections: '20' } })
  })
  after(() => cluster?.stop('immediate'))

  test('speaks UTF-8, knows the case of Cyrillic letters, and takes settings', async (t) => {
    if (!cluster) return t.skip('PostgreSQL is not installed')
    const [row] = await query(
      cluster.url,
      `select getdatabaseencoding() as encoding, lower('ЁЖ') as lower, current_setting('max_connections') as connections`,
    )
    assert.deepEqual(row, { encoding: 'UTF8', lower: 'ёж', connections: '20' })
  })

  test('creates isolated databases', async (t) => {
    if (!cluster) return t.skip('PostgreSQL is not installed')
    const [one, two] = await Promise.all([cluster.createDatabase(), cluster.createDatabase('with "quotes" and Ы')])
    await query(one, 'create table only_here (id int)')
    assert.deepEqual(await query(two, `select to_regclass('only_here') as found`), [{ found: null }])
    assert.deepEqual(await query(two, 'select current_database() as name'), [{ name: 'with "quotes" and Ы' }])
  })

  test('refuses a wrong password', async (t) => {
    if (!cluster) return t.skip('PostgreSQL is not installed')
    const url = new URL(cluster.url)
    url.password = 'wrong'
    await assert.rejects(query(url.href, 'select 1'), { code: '28P01' })
  })

  test('comes back on the same port with its data, after a clean stop and after a crash', async (t) => {
    if (!cluster) return t.skip('PostgreSQL is not installed')
    const url = await cluster.createDatabase()
    await query(url, 'create table kept as select 42 as answer')
    for (const mode of ['fast', 'immediate'] as const) {
      await cluster.stop(mode)
      await assert.rejects(query(url, 'select 1'), { code: 'ECONNREFUSED' })
      await cluster.start()
      assert.deepEqual(await query(url, 'select answer from kept'), [{ answer: 42 }])
    }
  })

  test('reports why it did not start', async (t) => {
    if (!cluster) return t.skip('PostgreSQL is not installed')
    await assert.rejects(startPostgres({ settings: { no_such_setting: '1' } }), /did not start:[\s\S]*no_such_setting/)
  })
})

test('a cluster does not outlive a process that was killed', async (t) => {
  const script = `
    const { startPostgres } = await import(${JSON.stringify(import.meta.resolve('./postgres.ts'))})
    console.log(JSON.stringify(await startPostgres()))
    setInterval(() => {}, 60_000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  child.kill('SIGKILL')
  const cluster = JSON.parse(String(line))
  if (!cluster) return t.skip('PostgreSQL is not installed')
  await until(() => !existsSync(dirname(cluster.dataDir)))
  await assert.rejects(query(cluster.url, 'select 1'), { code: 'ECONNREFUSED' })
})
