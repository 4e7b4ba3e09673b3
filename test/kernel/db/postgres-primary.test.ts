import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import { migrate } from '../../../src/app.ts'
import { deadlinesOf } from '../../../src/kernel/config/deadlines.ts'
import { openPostgres } from '../../../src/kernel/db/postgres/postgres.ts'
import { loadConfig } from '../../../src/settings/config.ts'
import { postgresQuery } from '../../faults/support/ledger.ts'
import { startStandby } from '../../faults/support/standby.ts'
import { createAdmin, register, type StartOptions, signIn, startApp, type TestApp } from '../../support/app.ts'
import { startPooler } from '../../support/pooler.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

const skip = process.env.TEST_POSTGRES_URL ? false : 'PostgreSQL is not installed'

describe('A primary and its standby', { skip }, () => {
  const cleanUps: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function startPair({ trust = false } = {}) {
    const primary = (await startPostgres({ settings: { synchronous_commit: 'on' } })) as Postgres
    cleanUps.push(() => primary.stop('immediate').catch(() => {}))
    if (trust) {
      const file = join(primary.dataDir, 'pg_hba.conf')
      writeFileSync(file, `host all all 127.0.0.1/32 trust\n${readFileSync(file, 'utf8')}`)
      await postgresQuery(primary.url)('select pg_reload_conf()')
    }
    const url = await primary.createDatabase('pair')
    await migrate(loadConfig({ DATABASE_URL: url, APP_SECRET: 'x'.repeat(43) }))
    const standby = await startStandby(primary)
    cleanUps.push(standby.stop)
    const on = (hosts: string) => url.replace(`127.0.0.1:${primary.port}`, hosts)
    const [one, other] = [`127.0.0.1:${primary.port}`, `127.0.0.1:${standby.port}`]
    return { primary, standby, url, standbyUrl: on(other), bothUrl: on(`${one},${other}`), on }
  }

  async function start(DATABASE_URL: string, env: StartOptions['env'] = {}): Promise<TestApp> {
    const app = await startApp('postgres', { env: { DATABASE_URL, ...env } })
    cleanUps.push(app.close)
    return app
  }

  /** The cluster goes on as a standby that nobody sends anything. */
  async function demote(primary: Postgres): Promise<void> {
    await primary.stop('fast')
    writeFileSync(join(primary.dataDir, 'standby.signal'), '')
    await primary.start()
  }

  test('a standby alone is refused, and the message says that it is one', async () => {
    const { standbyUrl } = await startPair()
    await assert.rejects(openPostgres(standbyUrl, { poolSize: 2, deadlines: deadlinesOf(15_000) }), {
      name: 'DatabaseError',
      message: /no host accepts writes \(127\.0\.0\.1:\d+: is a standby\)/,
    })
  })

  test('a server that becomes a standby makes the service unready until it is the primary again', async () => {
    const { primary, url } = await startPair()
    const { api } = await start(url)
    const { access_token: token } = await signIn(api, await register(api))
    await demote(primary)
    for (let round = 0; round < 3; round++) {
      const ready = await api.get('/health/ready')
      assert.equal(ready.status, 503)
      assert.deepEqual(ready.body.checks, { database: 'failed', accepting: 'ok' })
      assert.equal((await api.me(token)).status, 503)
    }
    await postgresQuery(primary.url)('select pg_promote()')
    await until(async () => (await api.get('/health/ready')).status === 200)
    assert.equal((await api.me(token)).status, 200)
  })

  test('the service moves from a demoted primary to the promoted one and never serves old rows', async () => {
    const { primary, standby, bothUrl, standbyUrl } = await startPair()
    const { api } = await start(bothUrl)
    const ended = await signIn(api, await register(api))
    await demote(primary)
    assert.equal((await api.me(ended.access_token)).status, 503)
    await standby.promote()
    const elsewhere = await start(standbyUrl)
    await elsewhere.api.post('/api/v1/auth/logout', { token: ended.access_token, body: {} })
    const begun = await signIn(elsewhere.api, await register(elsewhere.api))
    await until(async () => {
      const [old, fresh] = [await api.me(ended.access_token), await api.me(begun.access_token)]
      assert.notEqual(old.status, 200)
      assert.notEqual(fresh.status, 401)
      return old.status === 401 && fresh.status === 200
    })
    assert.equal((await api.get('/health/ready')).status, 200)
  })

  test('the service leaves a primary at the first refused write, even with open connections', async () => {
    const { primary, standby, bothUrl } = await startPair()
    const { api } = await start(bothUrl)
    const { access_token: token } = await signIn(api, await register(api))
    await standby.promote()
    await postgresQuery(primary.url)('alter system set default_transaction_read_only = on')
    await postgresQuery(primary.url)('select pg_reload_conf()')
    await until(async () => (await api.patch('/api/v1/auth/me', { token, body: { name: 'Anna' } })).status === 200)
    const [row] = await postgresQuery(standby.url('pair'))("select name from users where name = 'Anna'")
    assert.ok(row)
  })

  test('behind a pooler a query that reaches the standby fails, and the service is not ready', async () => {
    const { primary, standby, url, on } = await startPair({ trust: true })
    const pooler = await startPooler([primary.port, standby.port])
    cleanUps.push(pooler.close)
    const { api } = await start(`${on(`127.0.0.1:${pooler.port}`)}?pgbouncer=true`, { DATABASE_POOL_SIZE: '2' })
    const ended = await signIn(api, await register(api))
    const direct = await start(url)
    await postgresQuery(standby.url('postgres'))('select pg_wal_replay_pause()')
    // The standby shows nothing of this; commits do not wait for it to.
    await direct.api.post('/api/v1/auth/logout', { token: ended.access_token, body: {} })
    const begun = await signIn(direct.api, await register(direct.api))
    pooler.use(1)
    for (const { access_token: token } of [ended, begun]) assert.equal((await api.me(token)).status, 503)
    assert.equal((await api.get('/health/ready')).status, 503)
    pooler.use(0)
    await until(async () => (await api.get('/health/ready')).status === 200)
    assert.equal((await api.me(ended.access_token)).status, 401)
    assert.equal((await api.me(begun.access_token)).status, 200)
  })

  test('the service leaves a hanging primary, even when every connection waits for it', async () => {
    const { primary, standby, bothUrl } = await startPair()
    const { api, services } = await start(bothUrl, { DATABASE_POOL_SIZE: '2' })
    const { access_token: token } = await signIn(api, await createAdmin(services))
    const pids = clusterPids(primary)
    assert.ok(pids.length > 0)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    cleanUps.push(() => {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    })
    const hung = Promise.all(Array.from({ length: 4 }, () => api.me(token)))
    await standby.promote()
    const began = performance.now()
    await until(async () => (await api.me(token)).status === 200)
    const { statement } = deadlinesOf(15_000)
    assert.ok(performance.now() - began < statement, 'it did not wait for the hung queries to time out')
    for (const { status } of await hung) assert.equal(status, 503)
  })
})

/** The postmaster and all of its children. */
function clusterPids({ dataDir }: Postgres): number[] {
  const [postmaster] = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(postmaster)], { encoding: 'utf8' })
  return [Number(postmaster), ...children.trim().split(/\s+/).map(Number)]
}
