import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { describeOnEachEngine, startApp, type TestApp } from '../../support/app.ts'
import { startPostgres } from '../../support/postgres.ts'

describeOnEachEngine('Health', (engine) => {
  let app: TestApp
  before(async () => {
    app = await startApp(engine)
  })
  after(() => app.close())

  for (const path of ['/health', '/api/health', '/health/live'])
    test(`${path} says that the process lives`, async () => {
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

  test('while the instance goes away it is not ready, closes connections after their answer, and still serves', async () => {
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

describe('Without its database', () => {
  test('the process lives, is not ready, and is again when the database is', async (t) => {
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
      const body = { email: 'a@example.org', password: 'a walk along the river' }
      assert.equal((await app.api.post('/api/v1/auth/login', { body })).body.reason, 'database_unavailable')
      await cluster.start()
      while ((await app.api.get('/health/ready')).status !== 200);
      assert.equal((await app.api.post('/api/v1/auth/login', { body })).body.reason, 'invalid_credentials')
    } finally {
      await app.close()
      await cluster.stop('immediate').catch(() => {})
    }
  })
})
