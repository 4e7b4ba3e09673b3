import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { migrate } from '../../../src/app.ts'
import { loadConfig } from '../../../src/settings/config.ts'
import { register, signIn, startApp, type TestApp } from '../../support/app.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

const MAX_CONNECTIONS = 20

describe('A server with fewer connections than the pool size', {
  skip: process.env.TEST_POSTGRES_URL ? false : 'PostgreSQL is not installed',
}, () => {
  let cluster: Postgres
  let app: TestApp
  let token: string
  const others: pg.Client[] = []
  before(async () => {
    const settings = { max_connections: String(MAX_CONNECTIONS), superuser_reserved_connections: '0' }
    cluster = (await startPostgres({ settings })) as Postgres
    const url = await cluster.createDatabase()
    await migrate(loadConfig({ DATABASE_URL: url, APP_SECRET: 'x'.repeat(43) }))
    app = await startApp('postgres', { env: { DATABASE_URL: url, DATABASE_POOL_SIZE: String(MAX_CONNECTIONS) } })
    token = (await signIn(app.api, await register(app.api))).access_token
    await takeTheRest()
  })
  after(async () => {
    await leave()
    await app?.close()
    await cluster?.stop('immediate')
  })

  /** Connections of others until the server has none left. */
  async function takeTheRest(): Promise<void> {
    for (let taken = 0; taken < 100; taken++) {
      const other = new pg.Client({ connectionString: cluster.url })
      other.on('error', () => {})
      try {
        await other.connect()
        others.push(other)
      } catch (error) {
        assert.equal((error as { code?: string }).code, '53300')
        return
      }
    }
    assert.fail('the server grants more than 100 connections')
  }
  const leave = () => Promise.all(others.splice(0).map((other) => other.end()))
  const askAtOnce = (count: number) => Promise.all(Array.from({ length: count }, () => app.api.me(token)))

  test('makes requests wait for an existing connection', async () => {
    for (let round = 0; round < 5; round++)
      for (const { status } of await askAtOnce(2 * MAX_CONNECTIONS)) assert.equal(status, 200)
  })

  test('is not asked for more connections again and again', async () => {
    const began = performance.now()
    let asked = 0
    const original = pg.Client.prototype.connect
    pg.Client.prototype.connect = function (this: pg.Client, ...args: never[]) {
      asked++
      return (original as (...args: never[]) => never).apply(this, args)
    } as never
    try {
      for (let round = 0; round < 20; round++) await askAtOnce(MAX_CONNECTIONS)
    } finally {
      pg.Client.prototype.connect = original
    }
    const seconds = (performance.now() - began) / 1000
    assert.ok(asked <= MAX_CONNECTIONS * Math.ceil(seconds + 1), `${asked} in ${seconds} s`)
  })

  test('makes a request wait up to a second for a free connection, and then answer 503', async () => {
    const [other] = others as [pg.Client]
    // The service connects again at once, so it takes a try or two until the others have every connection.
    await until(async () => {
      await other.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'bukhindor'")
      await takeTheRest()
      const answers = await askAtOnce(3)
      // Not by the deadline of the request, which comes much later.
      return answers.every(({ body }) => body.reason === 'database_unavailable')
    })
    const waiting = askAtOnce(3)
    await leave()
    for (const { status } of await waiting) assert.equal(status, 200)
    for (const { status } of await askAtOnce(MAX_CONNECTIONS)) assert.equal(status, 200)
  })
})
