import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, HOUR, MINUTE, timestamp } from '../../../src/kernel/lib/clock.ts'
import { newId } from '../../../src/kernel/lib/ids.ts'
import { createRetention } from '../../../src/modules/retention/retention.service.ts'
import { describeOnEachEngine, register, signIn, useApp } from '../../support/app.ts'
import { until } from '../../support/until.ts'

describeOnEachEngine('Retention', (engine) => {
  const app = useApp(engine)
  const parts = () => {
    const { database } = app.services
    return { database, clock: app.clock, log: app.app.log as never }
  }

  test('runs in one instance at a time, and in another one when the first is gone', async () => {
    const [one, other] = [createRetention({ ...parts(), jobs: {} }), createRetention({ ...parts(), jobs: {} })]
    const done = await Promise.all([one.run(), other.run()])
    assert.equal(done.filter((deleted) => deleted === null).length, 1)
    const [holder, waiting] = done[0] ? [one, other] : [other, one]
    app.clock.advance(5 * MINUTE)
    assert.deepEqual(await holder.run(), {})
    assert.equal(await waiting.run(), null)
    app.clock.advance(10 * MINUTE)
    assert.deepEqual(await waiting.run(), {})
    app.clock.advance(HOUR)
  })

  test('works in small batches until nothing is left; a failing job does not stop the others', async () => {
    let left = 450
    const batches: number[] = []
    const jobs = {
      broken: async () => {
        throw new Error('broken')
      },
      crumbs: async (limit: number) => {
        const count = Math.min(limit, left)
        left -= count
        batches.push(count)
        return count
      },
    }
    const warnings: unknown[] = []
    const log = { warn: (line: unknown) => warnings.push(line), info() {} } as never
    assert.deepEqual(await createRetention({ ...parts(), log, jobs }).run(), { crumbs: 450 })
    assert.deepEqual([left, batches], [0, [200, 200, 50]])
    assert.equal(warnings.length, 1)
    app.clock.advance(HOUR)
  })

  test('deletes sessions, links, emails, counts and devices when they expire, and not before', async () => {
    const person = await register(app.api)
    const over = await signIn(app.api, person)
    await app.api.post('/api/v1/auth/logout', { token: over.access_token, headers: { 'idempotency-key': newId() } })
    await app.api.login({ email: person.email, password: 'not the password' })
    const { database, retention } = app.services
    const count = async () => {
      const tables = [
        'sessions',
        'one_time_tokens',
        'outbox',
        'throttles',
        'known_devices',
        'idempotency_keys',
      ] as const
      const rows = tables.map(async (table) => [
        table,
        (await database.db.selectFrom(table).selectAll().execute()).length,
      ])
      return Object.fromEntries(await Promise.all(rows))
    }
    const unsent = database.db.selectFrom('outbox').select('id').where('sent_at', 'is', null)
    await until(async () => (await unsent.execute()).length === 0)
    // Signing up and signing in without its proof are two devices; a wrong password and two limits of mails are counted.
    const full = { sessions: 1, one_time_tokens: 1, outbox: 1, throttles: 3, known_devices: 2, idempotency_keys: 1 }
    assert.deepEqual(await count(), full)
    await retention.run()
    assert.deepEqual(await count(), full)
    app.clock.advance(25 * HOUR)
    await retention.run()
    assert.deepEqual(await count(), { ...full, throttles: 1, one_time_tokens: 0, idempotency_keys: 0 })
    app.clock.advance(29 * DAY - 2 * HOUR)
    await retention.run()
    assert.equal((await count()).sessions, 1, 'less than 30 days after its end')
    app.clock.advance(2 * HOUR)
    await retention.run()
    assert.deepEqual(await count(), { ...full, throttles: 1, one_time_tokens: 0, idempotency_keys: 0, sessions: 0 })
    app.clock.advance(61 * DAY)
    await retention.run()
    assert.equal((await count()).outbox, 0)
    app.clock.advance(400 * DAY)
    await retention.run()
    assert.deepEqual(Object.values(await count()), [0, 0, 0, 0, 0, 0])
  })

  test('deletes no more sessions at once than a batch has, however they ended', async () => {
    const person = await register(app.api)
    const [ended, ...expired] = [
      await signIn(app.api, person),
      await signIn(app.api, person),
      await signIn(app.api, person),
    ]
    const { db } = app.services.database
    const long = timestamp(app.clock.now() - 31 * DAY)
    const set = (id: string, over: { ended_at: string } | { expires_at: string }) =>
      db.updateTable('sessions').set(over).where('id', '=', id).execute()
    await set(ended.session_id, { ended_at: long })
    for (const { session_id } of expired) await set(session_id, { expires_at: long })
    const { sessions } = app.services.declared.retention
    assert.deepEqual([await sessions?.(2), await sessions?.(2)], [2, 1])
  })
})
