import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { migrate } from '../../src/app.ts'
import { loadConfig } from '../../src/settings/config.ts'
import { createAdmin, signIn, startApp } from '../support/app.ts'
import { createDatabase, dropDatabase } from '../support/postgres.ts'

const CLUSTER = process.env.TEST_POSTGRES_URL

describe('When the database is unavailable', { skip: !CLUSTER && 'PostgreSQL is not installed' }, () => {
  test('no token is accepted and no client is told that its session has ended', async (t) => {
    const url = await createDatabase(CLUSTER as string)
    await migrate(loadConfig({ DATABASE_URL: url, APP_SECRET: randomBytes(32).toString('base64url') }))
    const { api, services, close } = await startApp('postgres', { env: { DATABASE_URL: url } })
    t.after(close)
    const { access_token: token, refresh_token } = await signIn(api, await createAdmin(services))
    await dropDatabase(url)
    for (const answer of [
      await api.me(token),
      await api.get('/api/v1/users', { token }),
      await api.refresh(refresh_token),
      await api.login({ email: 'a@example.org', password: 'wrong' }),
    ]) {
      assert.equal(answer.status, 503, JSON.stringify(answer.body))
      assert.equal(answer.body.action, 'retry')
    }
  })
})
