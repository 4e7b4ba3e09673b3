import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { loadLookupKey } from '../../../src/kernel/crypto/lookup-key.ts'
import { deriveKeys } from '../../../src/kernel/crypto/secrets.ts'
import { describeOnEachEngine, useApp } from '../../support/app.ts'

describeOnEachEngine('The lookup key', (engine) => {
  const app = useApp(engine)
  const [a, b, c] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const shared = (...secrets: Buffer[]) =>
    loadLookupKey(app.services.database, app.clock, deriveKeys(secrets)).then((key) => key.export().toString('hex'))
  const forget = () => app.services.database.db.deleteFrom('lookup_keys').execute()
  const derived = (secret: Buffer) => deriveKeys([secret]).of('lookup')[0]?.toString('hex')

  test('is derived from the first secret where none is stored, as in earlier versions', async () => {
    await forget()
    assert.equal(await shared(a, b), derived(a))
  })

  test('is the same for instances that start at once, whatever the order of their secrets', async () => {
    for (let round = 0; round < 5; round++) {
      await forget()
      const lists = [
        [a, b],
        [b, a],
        [a, b, c],
        [c, b, a],
        [b, a],
      ]
      assert.equal(new Set(await Promise.all(lists.map((list) => shared(...list)))).size, 1)
    }
  })

  test('survives the removal of any secret after a rotation', async () => {
    await forget()
    const key = await shared(a)
    for (const list of [[a, b], [b, a], [b], [b, c], [c]]) assert.equal(await shared(...list), key)
  })

  test('stays the stored one where an instance started without the old secret', async () => {
    await forget()
    const key = await shared(a)
    app.clock.advance(1000)
    assert.notEqual(await shared(b), key)
    assert.equal(await shared(b, a), key)
    assert.equal(await shared(b), key)
  })

  test('is stored sealed, and a modified one is ignored', async () => {
    await forget()
    const key = await shared(a)
    const { db } = app.services.database
    const rows = await db.selectFrom('lookup_keys').selectAll().execute()
    assert.ok(!JSON.stringify(rows).includes(Buffer.from(key, 'hex').toString('base64url')))
    assert.ok(!JSON.stringify(rows).includes(a.toString('base64url')))
    await db
      .updateTable('lookup_keys')
      .set({ sealed: 'x'.repeat(80) })
      .execute()
    assert.equal(await shared(a), derived(a))
  })
})
