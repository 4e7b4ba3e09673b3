import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { describeOnEachEngine, startApp, type TestApp } from '../../support/app.ts'
import { startPostgres } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

describeOnEachEngine('Health', (engine) => {
  let app: TestApp
  before(async () => {
    app = await startApp(engine)
  })
  after(() => app.close())

  for (const path of ['/health', '/api/health', '/health/live'])
    test(`${path} reports a live process`, async () => {
      const { status, body } = await app.api.get(path)
      assert.equal(status, 200)
      assert.deepEqual(Object.keys(body), ['status', 'service', 'version', 'uptime_seconds'])
      assert.deepEqual([body.status, body.service, body.version], ['ok', 'bukhindor-backend', app.services.version])
    })

  test('/health/ready names each check', async () => {
    const { status, body } = await app.api.get('/health/ready')
    assert.equal(status, 200)
    assert.equal(body.status, 'ready')
    assert.ok(Object.values(body.checks).every((check) => check === 'ok'))
  })

  test('while draining the instance is not ready, closes connections after each answer, and still serves', async () => {
    app.services.lifecycle.draining = true
    const ready = await app.api.get('/health/ready')
    assert.deepEqual([ready.status, ready.body.reason], [503, 'shutting_down'])
    assert.deepEqual([ready.body.checks.database, ready.body.checks.accepting], ['ok', 'failed'])
    const live = await app.api.get('/health/live')
    assert.equal(live.status, 200)
    assert.equal(live.headers.get('connection'), 'close')
    app.services.lifecycle.draining = false
    assert.equal((await app.api.get('/health/ready')).status, 200)
  })
})

describe('Without the database', () => {
  test('the process is live but not ready, and ready again when the database is back', async (t) => {
    const cluster = await startPostgres()
    if (!cluster) return t.skip('PostgreSQL is not installed')
    const url = await cluster.createDatabase()
    const app = await startApp('postgres', { env: { DATABASE_URL: url } })
    try {
      await cluster.stop('immediate')
      assert.equal((await app.api.get('/health/live')).status, 200)
      const ready = await app.api.get('/health/ready')
      assert.deepEqual([ready.status, ready.body.reason], [503, 'database_unavailable'])
      assert.equal(ready.body.checks.database, 'failed')
      const login = () => app.api.login({ email: 'a@example.org' })
      assert.equal((await login()).body.reason, 'database_unavailable')
      await cluster.start()
      await until(async () => (await app.api.get('/health/ready')).status === 200)
      assert.equal((await login()).body.reason, 'invalid_credentials')
    } finally {
      await app.close()
      await cluster.stop('immediate').catch(() => {})
    }
  })
})
