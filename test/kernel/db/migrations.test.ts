import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import type { Database, Engine } from '../../../src/kernel/db/database.ts'
import { createInstance } from '../../../src/kernel/db/instances.ts'
import { migrateDown, migrateUp, migrationStatus, previewDown } from '../../../src/kernel/db/migrator.ts'
import { openDatabase } from '../../../src/kernel/db/open.ts'
import { type Config, loadConfig } from '../../../src/settings/config.ts'
import { describeOnEachEngine } from '../../support/app.ts'
import { createDatabase, dropDatabase } from '../../support/postgres.ts'

const folder = mkdtempSync(join(tmpdir(), 'bukhindor-migrations-'))
let count = 0

/** The settings of an empty database. */
async function emptyDatabase(engine: Engine): Promise<Config> {
  const url =
    engine === 'sqlite'
      ? `sqlite:${join(folder, `${++count}.db`)}`
      : await createDatabase(process.env.TEST_POSTGRES_URL as string)
  return loadConfig({ DATABASE_URL: url, APP_SECRET: 'x'.repeat(43) })
}

/** The first half of the checksum of every migration of a version that somebody may have run. A line is never changed. */
const SHIPPED: Record<number, string> = {
  1: '9ffc61e727d4c4db',
  2: 'cbc250c023a493c9',
  3: 'ab0bdb25fb088335',
  4: '51698fddd4d1e3af',
  5: 'e7758e25bc2718a0',
  6: 'ca7956f92b8c865c',
  7: '92569156c6c8c84c',
  8: '30e1463685f1d620',
  9: 'a4fb69c463d3e032',
}

describeOnEachEngine('Migrations', (engine) => {
  const open: Database[] = []
  const urls = new Set<string>()
  let config: Config
  beforeEach(async () => {
    config = await emptyDatabase(engine)
    if (config.database.engine === 'postgres') urls.add(config.database.url)
  })
  after(async () => {
    await Promise.all(open.map((database) => database.close()))
    for (const url of urls) await dropDatabase(url)
    if (engine === 'sqlite') rmSync(folder, { recursive: true })
  })
  const connect = async () => {
    const database = await openDatabase(config, { forMigration: true })
    open.push(database)
    return database
  }
  const tables = async ({ db }: Database) =>
    (await db.introspection.getTables())
      .map(({ name }) => name)
      .filter((name) => !name.startsWith('users_search'))
      .sort()

  test('go up one by one, down to nothing, and up again to the same schema', async () => {
    const database = await connect()
    const pending = (await migrationStatus(database)).map(({ name, applied_at }) => [name, applied_at])
    assert.ok(pending.length >= 1 && pending.every(([, at]) => at === null))
    assert.deepEqual(await migrateUp(database, 1), [pending[0]?.[0]])
    const names = pending.map(([name]) => name)
    assert.deepEqual(await migrateUp(database), names.slice(1))
    assert.ok((await migrationStatus(database)).every(({ applied_at }) => applied_at !== null))
    const schema = await tables(database)
    assert.ok(schema.includes('users') && schema.includes('sessions'))
    assert.deepEqual(await migrateUp(database), [], 'twice is once')

    for (const name of names.toReversed()) {
      const told = (await previewDown(database))?.losses.map(({ table, column }) => column ?? table)
      if (name === 'account_life')
        assert.deepEqual(told, ['audit_events', 'leases', 'one_time_tokens', 'outbox', 'delete_after'])
      if (name === 'users_and_sessions') assert.deepEqual(told, ['sessions', 'users'], 'without the search index')
      assert.equal(await migrateDown(database), name)
    }
    assert.equal(await migrateDown(database), null)
    assert.deepEqual(await tables(database), ['schema_migrations'])
    assert.deepEqual(await migrateUp(database), names)
    assert.deepEqual(await tables(database), schema)
  })

  test('have the checksums recorded in databases of earlier versions', async () => {
    const database = await openDatabase(config)
    open.push(database)
    await migrateUp(database)
    const rows = await database.db.selectFrom('schema_migrations').select(['version', 'checksum']).execute()
    const recorded = rows.filter(({ version }) => version in SHIPPED)
    assert.deepEqual(Object.fromEntries(recorded.map((row) => [row.version, row.checksum.slice(0, 16)])), SHIPPED)
  })

  test('that changed after they were applied are refused', async () => {
    const database = await connect()
    await migrateUp(database)
    await database.db.updateTable('schema_migrations').set({ checksum: 'x' }).where('version', '=', 1).execute()
    for (const work of [migrateUp, migrateDown, migrationStatus])
      await assert.rejects(work(database), { name: 'DatabaseError', message: /migration 1 .*was changed after/ })
  })

  test('of a newer version are refused without any change', async () => {
    const database = await connect()
    await migrateUp(database)
    const row = { version: 9999, name: 'future', checksum: 'x', applied_at: new Date().toISOString() }
    await database.db.insertInto('schema_migrations').values(row).execute()
    const schema = await tables(database)
    for (const work of [migrateUp, migrateDown, migrationStatus])
      await assert.rejects(work(database), { name: 'DatabaseError', message: /9999 \(future\).*newer version/ })
    assert.deepEqual(await tables(database), schema)
  })

  const insertFuture = (database: Database, compatible_from: number | null) =>
    database.db
      .insertInto('schema_migrations')
      .values({ version: 9999, name: 'future', checksum: 'x', applied_at: new Date().toISOString(), compatible_from })
      .execute()

  test('of a newer version are accepted where they declare compatibility', async () => {
    const database = await connect()
    await migrateUp(database)
    const newest = Number((await migrationStatus(database)).at(-1)?.version)
    await insertFuture(database, newest)
    const [last] = (await migrationStatus(database)).slice(-1)
    assert.deepEqual([last?.name, last?.is_known], ['future', false])
    assert.deepEqual(await migrateUp(database), [])
    await createInstance({ database }).begin()
    await database.db.deleteFrom('leases').execute()
    await assert.rejects(
      migrateDown(database),
      /9999 \(future\) is from a newer version: only that version can roll it back/,
    )

    await database.db
      .updateTable('schema_migrations')
      .set({ compatible_from: newest + 1 })
      .where('version', '=', 9999)
      .execute()
    await assert.rejects(migrationStatus(database), /9999 \(future\) from a newer, incompatible version/)
  })

  test('that are missing below one of a newer version are not applied', async () => {
    const database = await connect()
    await migrateUp(database)
    const newest = Number((await migrationStatus(database)).at(-1)?.version)
    await insertFuture(database, newest)
    await database.db.deleteFrom('schema_migrations').where('version', '=', 4).execute()
    await assert.rejects(
      migrateUp(database),
      /migration 4 \(idempotency\) is missing, although the database has 9999 \(future\) from a newer/,
    )
  })

  test('record the oldest compatible version', async () => {
    const database = await connect()
    await migrateUp(database)
    const rows = await database.db.selectFrom('schema_migrations').selectAll().execute()
    assert.equal(rows.find(({ name }) => name === 'compatible_from')?.compatible_from, 4)
    assert.equal(rows.find(({ version }) => version === 1)?.compatible_from, null)
  })

  test('are reverted only when no instance runs; a killed one counts for a while', async () => {
    const [database, ...others] = (await Promise.all(Array.from({ length: 3 }, connect))) as [Database, ...Database[]]
    await migrateUp(database)
    const instances = others.map((database) => createInstance({ database }))
    for (const instance of instances) await instance.begin()
    const before = await tables(database)
    for (const work of [migrateDown, previewDown])
      await assert.rejects(work(database), {
        name: 'DatabaseError',
        message: /2 instances are running .*Stop the service/,
      })
    assert.deepEqual(await tables(database), before)
    await instances[0]?.end()
    await assert.rejects(migrateDown(database), /an instance is running/)
    const past = new Date(Date.now() - 1000).toISOString()
    await database.db.updateTable('leases').set({ until: past }).execute()
    assert.equal(await migrateDown(database), (await migrationStatus(database)).at(-1)?.name)
    await instances[1]?.end()
  })

  test('that are reverted while an instance starts are noticed by it', async () => {
    const [database, other] = (await Promise.all([connect(), connect()])) as [Database, Database]
    for (let round = 0; round < 5; round++) {
      await migrateUp(database)
      const instance = createInstance({ database: other })
      const [down, begun] = await Promise.allSettled([migrateDown(database), instance.begin()])
      assert.notEqual(down.status, begun.status, 'one of the two, never both')
      const error = (down.status === 'rejected' ? down : (begun as PromiseRejectedResult)).reason
      assert.match(error.message, /an instance is running|the database schema is not up to date/)
      await instance.end()
    }
  })

  test('list what reverting them would lose, without losing it', async () => {
    const database = await connect()
    await migrateUp(database, 4)
    const now = new Date().toISOString()
    const row = { request: 'x', holder: 'x', answer: null, expires_at: now }
    await database.db
      .insertInto('idempotency_keys')
      .values([
        { id: 'a', ...row },
        { id: 'b', ...row },
      ])
      .execute()
    const schema = await tables(database)
    for (let round = 0; round < 2; round++)
      assert.deepEqual(await previewDown(database), {
        version: 4,
        name: 'idempotency',
        losses: [{ table: 'idempotency_keys', column: null, rows: 2 }],
      })
    assert.deepEqual(await tables(database), schema)
    assert.equal((await database.db.selectFrom('idempotency_keys').selectAll().execute()).length, 2)
  })

  test('are applied once each by five instances that start at once', async () => {
    const databases = await Promise.all(Array.from({ length: 5 }, connect))
    const applied = (await Promise.all(databases.map((database) => migrateUp(database)))).flat()
    const names = (await migrationStatus(databases[0] as Database)).map(({ name }) => name)
    assert.deepEqual(applied.toSorted(), names.toSorted())
  })

  test('that fail half-way leave nothing behind', async () => {
    const database = await connect()
    // A table of that name is there already: something in the middle of the first migration fails.
    await database.db.schema.createTable('sessions').addColumn('x', 'integer').execute()
    await assert.rejects(migrateUp(database), /sessions/)
    assert.deepEqual(await tables(database), ['sessions'])
    await database.db.schema.dropTable('sessions').execute()
    assert.ok((await migrateUp(database)).length >= 1)
  })
})
