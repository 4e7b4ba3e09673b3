import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { migrate } from '../../src/app.ts'
import { loadConfig } from '../../src/settings/config.ts'
import { createAdmin, PASSWORD, register, signIn, startApp, type TestApp } from '../support/app.ts'
import { createDatabase, dropDatabase } from '../support/postgres.ts'

const CLUSTER = process.env.TEST_POSTGRES_URL
/** The role as docs/security.md makes it, under a name of its own: roles are for the whole cluster. */
const ROLE = `app_${randomBytes(6).toString('hex')}`
const [, documented = ''] =
  /```sql\n([^`]*)```/.exec(readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')) ?? []
const GRANTS = documented.replaceAll('bukhindor_app', ROLE).replace('change me', PASSWORD)

describe('A database role that may only read and write rows', {
  skip: !CLUSTER && 'PostgreSQL is not installed',
}, () => {
  let url: string
  let app: TestApp
  let role: pg.Client
  before(async () => {
    url = await createDatabase(CLUSTER as string)
    await migrate(loadConfig({ DATABASE_URL: url, APP_SECRET: randomBytes(32).toString('base64url') }))
    await asOwner(GRANTS)
    const limited = Object.assign(new URL(url), { username: ROLE, password: encodeURIComponent(PASSWORD) }).href
    role = new pg.Client(limited)
    await role.connect()
    app = await startApp('postgres', { env: { DATABASE_URL: limited } })
  })
  after(async () => {
    await role?.end()
    await app?.close()
    await asOwner(`drop owned by ${ROLE}; drop role ${ROLE}`)
    await dropDatabase(url)
  })

  async function asOwner(sql: string): Promise<void> {
    const owner = new pg.Client(url)
    await owner.connect()
    await owner.query(sql).finally(() => owner.end())
  }

  test('is enough for every function of the service', async () => {
    const { api, services, clock } = app
    const admin = await signIn(api, await createAdmin(services))
    const person = await register(api)
    const { id, access_token: token, refresh_token } = await signIn(api, person)
    const done = async (method: string, path: string, body?: object, by = token) => {
      const headers = { 'idempotency-key': randomBytes(8).toString('hex') }
      const answer = await api.request(method, `/api/v1${path}`, {
        token: by,
        body,
        ...(method !== 'GET' && { headers }),
      })
      assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`)
    }
    await done('POST', '/auth/refresh', { refresh_token })
    await done('PATCH', '/auth/me', { name: 'Anna' })
    await done('POST', '/auth/verify-email/resend')
    await done('POST', '/auth/change-email', { new_email: 'anna.new@example.org', password: PASSWORD })
    await done('POST', '/auth/reset-password', { email: person.email })
    await done('GET', '/auth/me/export')
    await done('GET', '/users?q=ann', undefined, admin.access_token)
    await done('PATCH', `/users/${id}`, { role: 'admin' }, admin.access_token)
    await done('GET', '/audit-events', undefined, admin.access_token)
    await done('POST', '/auth/change-password', { current_password: PASSWORD, new_password: 'a walk along the sea' })
    const wrong = await api.login({ email: person.email, password: 'wrong' })
    assert.equal(wrong.status, 401)
    await done('DELETE', `/users/${id}`, undefined, admin.access_token)
    clock.advance(500 * 24 * 3_600_000)
    const deleted = await services.retention.run()
    for (const job of ['sessions', 'audit_events', 'throttles', 'known_devices', 'idempotency_keys'])
      assert.ok(deleted?.[job], `retention deleted nothing of ${job}`)
  })

  for (const sql of [
    'create table mine (id int)',
    'drop table users',
    'alter table users add column mine text',
    'truncate audit_events',
    "update audit_events set action = 'nothing'",
    'alter table audit_events disable trigger all',
    'delete from schema_migrations',
    'create role mine superuser',
    "copy users to '/tmp/users'",
  ])
    test(`cannot ${sql}`, () => assert.rejects(role.query(sql), { code: '42501' }))
})
