import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { type Config, loadConfig } from '../../src/kernel/config.ts'
import { type Database, type Engine, openDatabase } from '../../src/kernel/db/database.ts'
import { migrateDown, migrateUp, migrationStatus } from '../../src/kernel/db/migrator.ts'
import { describeOnEachEngine } from '../support/app.ts'
import { createDatabase, dropDatabase } from '../support/postgres.ts'

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
    const database = await openDatabase(config, { patient: true })
    open.push(database)
    return database
  }
  const tables = async ({ db }: Database) =>
    (await db.introspection.getTables())
      .map(({ name }) => name)
      .filter((name) => !name.startsWith('users_search'))
      .sort()

  test('go up one by one, all the way down, and up again to the same schema', async () => {
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

    for (const name of names.toReversed()) assert.equal(await migrateDown(database), name)
    assert.equal(await migrateDown(database), null)
    assert.deepEqual(await tables(database), ['schema_migrations'])
    assert.deepEqual(await migrateUp(database), names)
    assert.deepEqual(await tables(database), schema)
  })

  test('that were changed after they had been applied are refused', async () => {
    const database = await connect()
    await migrateUp(database)
    await database.db.updateTable('schema_migrations').set({ checksum: 'x' }).where('version', '=', 1).execute()
    for (const work of [migrateUp, migrateDown, migrationStatus])
      await assert.rejects(work(database), { name: 'DatabaseError', message: /migration 1 .*was changed after/ })
  })

  test('of a newer version are refused, and nothing is touched', async () => {
    const database = await connect()
    await migrateUp(database)
    const row = { version: 9999, name: 'future', checksum: 'x', applied_at: new Date().toISOString() }
    await database.db.insertInto('schema_migrations').values(row).execute()
    const schema = await tables(database)
    for (const work of [migrateUp, migrateDown, migrationStatus])
      await assert.rejects(work(database), { name: 'DatabaseError', message: /9999 \(future\).*newer version/ })
    assert.deepEqual(await tables(database), schema)
  })

  test('of five that begin at once are applied once each', async () => {
    const databases = await Promise.all(Array.from({ length: 5 }, connect))
    const applied = (await Promise.all(databases.map((database) => migrateUp(database)))).flat()
    const names = (await migrationStatus(databases[0] as Database)).map(({ name }) => name)
    assert.deepEqual(applied.toSorted(), names.toSorted())
  })

  test('that fail half way leave nothing behind', async () => {
    const database = await connect()
    // A table of that name is there already: something in the middle of the first migration fails.
    await database.db.schema.createTable('sessions').addColumn('x', 'integer').execute()
    await assert.rejects(migrateUp(database), /sessions/)
    assert.deepEqual(await tables(database), ['sessions'])
    await database.db.schema.dropTable('sessions').execute()
    assert.ok((await migrateUp(database)).length >= 1)
  })
})
