import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CompiledQuery } from 'kysely'
import pg from 'pg'
import { deadlinesOf } from '../../../src/kernel/config/deadlines.ts'
import { openPostgres } from '../../../src/kernel/db/postgres/postgres.ts'
import { masked, parsePostgresUrl } from '../../../src/kernel/db/postgres/url.ts'
import { createDatabase, dropDatabase } from '../../support/postgres.ts'

const CLUSTER = process.env.TEST_POSTGRES_URL
const options = { poolSize: 2, deadlines: deadlinesOf(15_000) }

describe('A connection string of PostgreSQL', () => {
  test('with several hosts gives one for each, all else equal', () => {
    assert.deepEqual(parsePostgresUrl('postgres://u:p%40w@h1:5432,h2,[::1]:6432/db?sslmode=verify-full').urls, [
      'postgres://u:p%40w@h1:5432/db?sslmode=verify-full',
      'postgres://u:p%40w@h2/db?sslmode=verify-full',
      'postgres://u:p%40w@[::1]:6432/db?sslmode=verify-full',
    ])
  })

  test('is shown without its password, even with an @ in it', () => {
    assert.equal(masked('postgres://u:p@w@h1,h2:5432/db'), 'postgres://u:***@h1,h2:5432/db')
    assert.equal(masked('postgres://h1/db'), 'postgres://h1/db')
  })

  test('says whether a pooler without prepared statements is used', () => {
    assert.equal(parsePostgresUrl('postgres://h/db?pgbouncer=true').pooled, true)
    assert.equal(parsePostgresUrl('postgres://h/db?x=pgbouncer').pooled, false)
  })
})

describe('A connection string with several hosts', { skip: CLUSTER ? false : 'PostgreSQL is not installed' }, () => {
  /** The same database by a host that is not there and one that is. */
  const withDeadHost = (url: string) => url.replace(/@([^/]+)\//, '@127.0.0.1:1,$1/')

  test('uses the host that answers', async () => {
    const url = await createDatabase(String(CLUSTER))
    const database = await openPostgres(withDeadHost(url), options)
    await database.ping()
    await database.close()
    await dropDatabase(url)
  })

  test('uses no read-only host, and the message names each', async () => {
    const url = await createDatabase(String(CLUSTER))
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(`alter database "${new URL(url).pathname.slice(1)}" set default_transaction_read_only = on`)
    await client.end()
    await assert.rejects(openPostgres(withDeadHost(url), options), /127\.0\.0\.1:1: .*ECONNREFUSED.*; .*: is read-only/)
    await dropDatabase(url)
  })

  test('sets timeouts while connecting, without further queries', async () => {
    const url = await createDatabase(String(CLUSTER))
    const database = await openPostgres(url, options)
    const { rows } = await database.db.executeQuery<Record<string, string>>({
      sql: "select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock",
      parameters: [],
      query: { kind: 'RawNode', sqlFragments: [], parameters: [] },
      queryId: { queryId: 'test' },
    })
    assert.deepEqual(rows, [{ statement: '10s', lock: '5s' }])
    await database.close()
    await dropDatabase(url)
  })

  test('reads times correctly, whatever the time zone of the database', async () => {
    const url = await createDatabase(String(CLUSTER))
    const name = new URL(url).pathname.slice(1)
    for (const zone of ['UTC', 'Asia/Kathmandu', 'America/New_York']) {
      const setting = await openPostgres(url, options)
      await setting.db.executeQuery(CompiledQuery.raw(`alter database "${name}" set timezone = '${zone}'`))
      await setting.close()
      const database = await openPostgres(url, options)
      const { rows } = await database.db.executeQuery(
        CompiledQuery.raw("select timestamptz '2026-11-22T12:00:00.5Z' as a, timestamptz '2026-07-01T00:00:00Z' as b"),
      )
      assert.deepEqual(rows, [{ a: '2026-11-22T12:00:00.500Z', b: '2026-07-01T00:00:00.000Z' }], zone)
      await database.close()
    }
    await dropDatabase(url)
  })
})
