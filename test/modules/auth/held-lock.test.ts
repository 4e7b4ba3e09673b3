import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import pg from 'pg'
import { engines, register, useApp } from '../../support/app.ts'

describe('A sign-in, on PostgreSQL', {
  skip: engines.find(({ engine }) => engine === 'postgres')?.skip ?? false,
}, () => {
  const t = useApp('postgres', { env: { REQUEST_TIMEOUT: '3s' } })

  test('gets 503, not 401, when another transaction locks the user for too long', async () => {
    const { id, email } = await register(t.api)
    const { database } = t.config
    const client = new pg.Client({ connectionString: database.engine === 'postgres' ? database.url : '' })
    await client.connect()
    try {
      await client.query('begin')
      await client.query('select 1 from users where id = $1 for update', [id])
      const held = await t.api.login({ email })
      assert.deepEqual([held.status, held.body.action], [503, 'retry'])
    } finally {
      await client.end()
    }
    const answer = await t.api.login({ email })
    assert.equal(answer.status, 200)
  })

  test('gets 401 when the user is deleted while the password is checked', async () => {
    const { id, email } = await register(t.api)
    const { database } = t.services
    const { transaction } = database
    database.transaction = (async (work) => {
      database.transaction = transaction
      await database.db.deleteFrom('users').where('id', '=', id).execute()
      return transaction(work)
    }) as typeof transaction
    const answer = await t.api.login({ email })
    assert.deepEqual([answer.status, answer.body.reason], [401, 'invalid_credentials'])
  })
})
