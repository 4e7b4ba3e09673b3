import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import BetterSqlite from 'better-sqlite3'
import pg from 'pg'
import { HOUR } from '../../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, PASSWORD, startApp, type TestApp } from '../../../support/app.ts'
import type { Response } from '../../../support/client.ts'
import { isReplayed, newKey } from '../../../support/idempotency.ts'
import { until } from '../../../support/until.ts'

const REGISTER = '/api/v1/auth/register'
const someone = () => ({ email: `${randomUUID()}@example.org`, name: 'Стива', password: PASSWORD })

/** Waits until a request holds a key: it is then at its password, and has written nothing else. */
async function keyIsTaken({ services }: TestApp): Promise<void> {
  const { db } = services.database
  await until(() => db.selectFrom('idempotency_keys').select('id').executeTakeFirst(), { interval: 0 })
}

/** Lets nobody else write, from a connection of its own. Returns how to end that. */
async function lockDatabase({ config: { database } }: TestApp): Promise<() => Promise<void>> {
  if (database.engine === 'sqlite') {
    const connection = new BetterSqlite(database.file)
    connection.exec('begin immediate')
    return async () => {
      connection.close()
    }
  }
  const client = new pg.Client({ connectionString: database.url })
  client.on('error', () => {}) // when the database is dropped after a failure
  await client.connect()
  await client.query('begin; lock table users, idempotency_keys in exclusive mode')
  return () => client.end()
}

/** Repeats a request until the key is free and the database is back. */
const patiently = (request: () => Promise<Response>): Promise<Response> =>
  until(async () => {
    const answer = await request()
    return answer.status !== 503 && answer.body.reason !== 'idempotency_in_progress' && answer
  })

const peopleIn = async ({ services }: TestApp): Promise<number> =>
  (await services.database.db.selectFrom('users').select('id').execute()).length

describeOnEachEngine('Idempotency keys after failures', (engine) => {
  test('are released after a 503, if necessary once the database is back, so that a repeat runs', async () => {
    const t = await startApp(engine, { env: { REQUEST_TIMEOUT: '3s' } })
    try {
      const request = { body: someone(), headers: newKey() }
      const { passwords } = t.services
      const { hash } = passwords
      const { promise: isLocked, resolve } = Promise.withResolvers<void>()
      passwords.hash = async (...given) => {
        await isLocked
        return hash(...given)
      }
      const refused = t.api.post(REGISTER, request)
      await keyIsTaken(t)
      const unlock = await lockDatabase(t)
      resolve()
      const { status, body } = await refused
      assert.deepEqual([status, body.reason], [503, 'database_unavailable'])
      await unlock()
      t.clock.advance(-HOUR) // The key does not run out by itself while the test waits.
      const repeat = await patiently(() => t.api.post(REGISTER, request))
      assert.deepEqual([repeat.status, isReplayed(repeat)], [201, false])
      const again = await t.api.post(REGISTER, request)
      assert.deepEqual([again.body, isReplayed(again)], [repeat.body, true])
      assert.equal(await peopleIn(t), 1)
    } finally {
      await t.close()
    }
  })

  test('store the answer of a request whose client disconnected', async () => {
    const t = await startApp(engine)
    try {
      const body = someone()
      const headers = newKey()
      const leaving = new AbortController()
      const lost = fetch(t.url + REGISTER, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { ...headers, 'content-type': 'application/json' },
        signal: leaving.signal,
      })
      await keyIsTaken(t)
      leaving.abort()
      await assert.rejects(lost, { name: 'AbortError' })
      const repeat = await patiently(() => t.api.post(REGISTER, { body, headers }))
      assert.deepEqual([repeat.status, isReplayed(repeat), repeat.body.user.email], [201, true, body.email])
      assert.equal(await peopleIn(t), 1)
    } finally {
      await t.close()
    }
  })

  test('are released after a 429, so that a repeat runs', async () => {
    const t = await startApp(engine)
    try {
      const { email, password, name } = someone()
      await t.api.post(REGISTER, { body: { email, password, name } })
      const login = (body: { email: string; password: string }, key = randomUUID()) =>
        t.api.login(body, { headers: { 'idempotency-key': key } })
      const key = randomUUID()
      await until(async () => (await login({ email, password: 'a wrong password' })).status === 429)
      const limited = await login({ email, password }, key)
      assert.equal(limited.status, 429)
      t.clock.advance(Number(limited.headers.get('retry-after')) * 1000)
      const answer = await login({ email, password }, key)
      assert.deepEqual([answer.status, isReplayed(answer)], [200, false])
    } finally {
      await t.close()
    }
  })
})
