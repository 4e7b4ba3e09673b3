import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { AppError } from '../../../src/kernel/errors/app-error.ts'
import { kernelErrors } from '../../../src/kernel/errors/kernel-errors.ts'
import { createAdmin, describeOnEachEngine, register, signIn, useApp } from '../../support/app.ts'

const ROUNDS = 15

describeOnEachEngine('Parallel writes that lock each other’s rows', (engine) => {
  const t = useApp(engine)
  const admin = async () => signIn(t.api, await createAdmin(t.services))
  const restore = (...ids: string[]) =>
    t.services.database.db.updateTable('users').set({ role: 'admin' }).where('id', 'in', ids).execute()

  test('by administrators who demote each other: one succeeds, the other is forbidden', async () => {
    await admin() // who stays
    const [one, other] = [await admin(), await admin()]
    for (let round = 0; round < ROUNDS; round++) {
      const demote = (token: string, id: string) =>
        t.api.patch(`/api/v1/users/${id}`, { token, body: { role: 'user' } })
      const answers = await Promise.all([demote(one.access_token, other.id), demote(other.access_token, one.id)])
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403])
      await restore(one.id, other.id)
    }
  })

  test('by ten administrators who each demote the next all get an answer', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, admin))
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        all.flatMap(({ access_token: token }, i) => [
          t.api.patch(`/api/v1/users/${all[(i + 1) % 10]?.id}`, { token, body: { role: 'user' } }),
          t.api.patch(`/api/v1/users/${all[(i + 3) % 10]?.id}`, { token, body: { name: `Round ${round}` } }),
        ]),
      )
      for (const { status, body } of answers) assert.ok([200, 403].includes(status), JSON.stringify(body))
      assert.ok(answers.some(({ status }) => status === 200))
      await restore(...all.map(({ id }) => id))
    }
  })

  test('by administrators who delete each other leave one', async () => {
    for (let round = 0; round < 5; round++) {
      const [one, other] = [await admin(), await admin()]
      const answers = await Promise.all([
        t.api.delete(`/api/v1/users/${other.id}`, { token: one.access_token }),
        t.api.delete(`/api/v1/users/${one.id}`, { token: other.access_token }),
      ])
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401])
    }
  })

  test('by one user, twenty at once, all succeed', async () => {
    const { access_token: token } = await signIn(t.api, await register(t.api))
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => t.api.patch('/api/v1/auth/me', { token, body: { name: `Name ${i}` } })),
    )
    for (const { status, body } of answers) assert.equal(status, 200, JSON.stringify(body))
  })

  test('that PostgreSQL aborts as a deadlock are retried', {
    skip: engine === 'sqlite',
  }, async () => {
    const { database } = t.services
    const { db } = database
    const [one, other] = [await register(t.api), await register(t.api)]
    for (let round = 0; round < 3; round++) {
      let waiting = 2
      const { promise: bothHoldOne, resolve } = Promise.withResolvers<void>()
      const rename = (...ids: string[]) =>
        database.transaction(async (trx) => {
          for (const id of ids) {
            await trx
              .updateTable('users')
              .set({ name: `By ${ids[0]} ${round}` })
              .where('id', '=', id)
              .execute()
            if (--waiting === 0) resolve()
            if (waiting >= 0) await bothHoldOne
          }
        })
      await Promise.all([rename(one.id, other.id), rename(other.id, one.id)])
      const rows = await db.selectFrom('users').select('name').where('id', 'in', [one.id, other.id]).execute()
      assert.equal(new Set(rows.map(({ name }) => name)).size, 1)
    }
  })

  test('that fail for another reason are not retried', async () => {
    const { database } = t.services
    let runs = 0
    const failing = (work: () => Promise<unknown>) =>
      assert.rejects(
        database.transaction(async (trx) => {
          runs++
          await sql`select 1`.execute(trx)
          await work()
        }),
      )
    await failing(async () => {
      throw new AppError(kernelErrors.forbidden)
    })
    await failing(async () => {
      throw Object.assign(new Error('unique'), { code: '23505' })
    })
    assert.equal(runs, 2)
  })

  test('that are aborted repeatedly fail after three runs', {
    skip: engine === 'sqlite',
  }, async () => {
    let runs = 0
    const error = Object.assign(new Error('deadlock detected'), { code: '40P01' })
    await assert.rejects(
      t.services.database.transaction(async () => {
        runs++
        throw error
      }),
      error,
    )
    assert.equal(runs, 3)
  })
})
