import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import { requireStatus } from '../../support/auth-calls.ts'
import { type Client, createClient, signUp } from '../../support/process-client.ts'
import { type ServerProcess, startServer } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

const EMAIL = 'anna@example.org'
const MAX_WRITES = 100

/** Runs `bukhindor`; never rejects. */
function bukhindor(env: Record<string, string>, ...args: string[]) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const options = { env: { PATH: process.env.PATH, ...env } }
    execFile(process.execPath, ['bin/bukhindor.js', ...args], options, (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}

/** Every row of every table but the leases, which a running service renews every few seconds. */
function contents(file: string): Record<string, unknown[]> {
  const database = new BetterSqlite(file, { readonly: true })
  const tables = database
    .prepare("select name from sqlite_schema where type = 'table' and name <> 'leases'")
    .pluck()
    .all() as string[]
  const rows = tables.map((table) => [table, database.prepare(`select * from "${table}"`).all()])
  database.close()
  return Object.fromEntries(rows)
}

const integrity = (file: string) => {
  const database = new BetterSqlite(file, { readonly: true })
  const result = database.pragma('integrity_check', { simple: true })
  database.close()
  return result
}

describe('Backups of the embedded database', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-backup-'))
  const env = { DATA_DIR: join(folder, 'live') }
  const elsewhere = { DATA_DIR: join(folder, 'elsewhere') }
  const live = join(env.DATA_DIR, 'bukhindor.db')
  const file = join(folder, 'copy.db')
  let server: ServerProcess
  let client: Client
  let token = ''
  before(async () => {
    server = await startServer(env)
    client = createClient(server.url)
    token = (await signUp(client, EMAIL)).access_token
  })
  after(async () => {
    client.close()
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  test('a backup made during writes contains every write acknowledged before it', async () => {
    let acknowledged = 0
    let isDone = false
    const load = Array.from({ length: 4 }, async () => {
      // Fewer than one person may write in a minute, and slowly enough to go on while the copy is made.
      while (!isDone && acknowledged < MAX_WRITES) {
        await pause(40)
        const next = acknowledged + 1
        requireStatus(200, await client.rename(token, `Anna ${String(next).padStart(9, '0')}`))
        acknowledged = Math.max(acknowledged, next)
      }
    })
    await until(() => acknowledged >= 20)
    const before = acknowledged
    const { status, stdout, stderr } = await bukhindor(env, 'backup', file, '--json')
    isDone = true
    await Promise.all(load)
    assert.equal(status, 0, stderr)
    assert.deepEqual(JSON.parse(stdout), { file, bytes: statSync(file).size })
    assert.equal(integrity(file), 'ok')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(folder).sort(), ['copy.db', 'live'])
    const [user] = contents(file).users as { name: string }[]
    assert.ok(Number(user?.name.slice(5)) >= before - 4, `${user?.name} is older than ${before}`)
  })

  test('an existing file is replaced only with --force', async () => {
    const refused = await bukhindor(env, 'backup', file)
    assert.equal(refused.status, 1)
    assert.match(refused.stderr, /already exists; add --force to overwrite it/)
    assert.equal((await bukhindor(env, 'backup', file, '--force')).status, 0)
  })

  test('a restored backup has equal rows and can be served from', async () => {
    assert.equal((await bukhindor(env, 'backup', file, '--force')).status, 0)
    assert.deepEqual(contents(file), contents(live))
    const { status, stderr, stdout } = await bukhindor(elsewhere, 'restore', file, '--json')
    assert.equal(status, 0, stderr)
    const restored = join(elsewhere.DATA_DIR, 'bukhindor.db')
    assert.deepEqual(JSON.parse(stdout), { file: restored, kept: null })
    assert.deepEqual(contents(restored), contents(live))
    copyFileSync(join(env.DATA_DIR, 'secret.key'), join(elsewhere.DATA_DIR, 'secret.key'))
    const other = await startServer(elsewhere)
    const elsewhereClient = createClient(other.url)
    const login = await elsewhereClient.login({ email: EMAIL })
    elsewhereClient.close()
    assert.equal(login.status, 200)
    await other.stop('SIGKILL')
  })

  test('a restore does not replace a database that is in use', async () => {
    const { status, stderr } = await bukhindor(env, 'restore', file)
    assert.equal(status, 1)
    assert.match(stderr, /is in use: stop the service first/)
    requireStatus(200, await client.me(token))
    requireStatus(200, await client.rename(token, 'Anna'))
  })

  test('a restore keeps the previous database and leaves no other files', async () => {
    const old = contents(join(elsewhere.DATA_DIR, 'bukhindor.db'))
    const { status, stdout, stderr } = await bukhindor(elsewhere, 'restore', file, '--json')
    assert.equal(status, 0, stderr)
    const { kept } = JSON.parse(stdout)
    assert.deepEqual(contents(kept), old)
    const names = readdirSync(elsewhere.DATA_DIR).filter((name) => name.startsWith('bukhindor.db'))
    assert.equal(names.length, 2, names.join())
  })

  test('a restore replaces a damaged database', async () => {
    const damaged = join(elsewhere.DATA_DIR, 'bukhindor.db')
    writeFileSync(damaged, 'this was a database once, and is not one any more'.repeat(100))
    writeFileSync(`${damaged}-wal`, 'left behind')
    const { status, stderr } = await bukhindor(elsewhere, 'restore', file)
    assert.equal(status, 0, stderr)
    assert.deepEqual(contents(damaged), contents(file))
  })

  test('a restore refuses a damaged file, a foreign file and one of a newer version', async () => {
    const target = { DATA_DIR: join(folder, 'target') }
    const bytes = readFileSync(file)
    const damaged = join(folder, 'damaged.db')
    writeFileSync(damaged, bytes.fill(7, 8192, 12_000))
    const foreign = join(folder, 'foreign.db')
    new BetterSqlite(foreign).exec('create table notes (text)').close()
    const newer = join(folder, 'newer.db')
    assert.equal((await bukhindor(env, 'backup', newer)).status, 0)
    chmodSync(newer, 0o600)
    new BetterSqlite(newer)
      .exec("insert into schema_migrations (version, name, checksum, applied_at) values (9999, 'later', 'x', 'now')")
      .close()
    for (const [from, message] of [
      [damaged, /the copy is damaged/],
      [foreign, /is not a backup of this service/],
      [newer, /from a newer, incompatible version/],
      [join(folder, 'missing.db'), /missing\.db does not exist/],
    ] as const) {
      const { status, stderr } = await bukhindor(target, 'restore', from)
      assert.equal(status, 1)
      assert.match(stderr, message)
      assert.ok(!existsSync(join(target.DATA_DIR, 'bukhindor.db')))
    }
  })

  test('scheduled backups keep BACKUP_KEEP files', async () => {
    const scheduled = await startServer({ DATA_DIR: join(folder, 'scheduled'), BACKUP_EVERY: '1s', BACKUP_KEEP: '2' })
    const made = () => [...scheduled.output().matchAll(/"msg":"backup created"/g)].length
    await until(() => made() >= 3, { details: scheduled.output })
    assert.equal(await scheduled.stop('SIGTERM'), 0)
    const backups = join(folder, 'scheduled', 'backups')
    const names = readdirSync(backups).filter((name) => name.endsWith('.db'))
    assert.equal(names.length, 2)
    for (const name of names) assert.equal(integrity(join(backups, name)), 'ok')
  })

  test('a backup does not create a missing folder', async () => {
    const { status, stderr } = await bukhindor(env, 'backup', join(folder, 'mistyped', 'copy.db'))
    assert.equal(status, 1)
    assert.match(stderr, /folder .*mistyped does not exist: create it first/)
    assert.ok(!existsSync(join(folder, 'mistyped')))
  })

  test('database vacuum shrinks the file, keeps every row, and is refused while the service runs', async () => {
    const busy = await bukhindor(env, 'database', 'vacuum')
    assert.equal(busy.status, 1)
    assert.match(busy.stderr, /is in use: stop the service first/)
    const database = new BetterSqlite(join(elsewhere.DATA_DIR, 'bukhindor.db'))
    database.exec(`create table filling (bytes blob);
      with recursive n (i) as (select 1 union all select i + 1 from n where i < 50)
      insert into filling select randomblob(100000) from n; drop table filling`)
    database.close()
    const rows = contents(join(elsewhere.DATA_DIR, 'bukhindor.db'))
    const { status, stdout, stderr } = await bukhindor(elsewhere, 'database', 'vacuum', '--json')
    assert.equal(status, 0, stderr)
    const { before, after } = JSON.parse(stdout)
    assert.ok(before - after > 4_000_000, stdout)
    assert.deepEqual(contents(join(elsewhere.DATA_DIR, 'bukhindor.db')), rows)
    assert.equal(integrity(join(elsewhere.DATA_DIR, 'bukhindor.db')), 'ok')
  })

  test('with PostgreSQL the commands name the tools to use', async () => {
    const postgres = { DATABASE_URL: 'postgres://localhost/x', APP_SECRET: 'A'.repeat(43) }
    for (const [command, tool] of [
      ['backup', /pg_dump/],
      ['restore', /pg_restore/],
    ] as const) {
      const { status, stderr } = await bukhindor(postgres, command, file)
      assert.equal(status, 1)
      assert.match(stderr, tool)
    }
  })
})

describe('Interrupted backups', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-unfinished-'))
  const env = { DATA_DIR: join(folder, 'live') }
  const live = join(env.DATA_DIR, 'bukhindor.db')
  const backups = join(env.DATA_DIR, 'backups')
  before(async () => {
    await bukhindor(env, 'migrate', 'up')
    // Large enough that it takes a while: it is interrupted as soon as its draft is there.
    const database = new BetterSqlite(live)
    database.exec(`create table filling (bytes blob);
      with recursive n (i) as (select 1 union all select i + 1 from n where i < 400)
      insert into filling select randomblob(500000) from n`)
    database.close()
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const drafts = (of: string) => (existsSync(of) ? readdirSync(of).filter((name) => name.includes('.part')) : [])
  const draftIn = (of: string) => until(() => drafts(of).length > 0, { interval: 2 })

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    test(`leave nothing behind after ${signal}`, async () => {
      const child = spawn(process.execPath, ['bin/bukhindor.js', 'backup', join(folder, 'copy.db')], {
        env: { PATH: process.env.PATH, ...env },
      })
      await draftIn(folder)
      child.kill(signal)
      const [[status], stderr] = await Promise.all([once(child, 'close'), text(child.stderr)])
      assert.equal(status, 1)
      assert.equal(stderr, 'bukhindor: interrupted: no backup was made\n')
      assert.deepEqual(readdirSync(folder), ['live'])
    })

  test('are cleaned up by the next backup to the same file after SIGKILL', async () => {
    const file = join(folder, 'killed.db')
    const child = spawn(process.execPath, ['bin/bukhindor.js', 'backup', file], {
      env: { PATH: process.env.PATH, ...env },
    })
    await draftIn(folder)
    child.kill('SIGKILL')
    await once(child, 'close')
    assert.ok(drafts(folder).length > 0)
    assert.equal((await bukhindor(env, 'backup', file)).status, 0)
    assert.deepEqual(readdirSync(folder), ['killed.db', 'live'])
  })

  test('are abandoned without an error when the service stops, and not repeated right after a start', async () => {
    const scheduled = { ...env, BACKUP_EVERY: '1s', BACKUP_KEEP: '2' }
    const server = await startServer(scheduled)
    await draftIn(backups)
    assert.equal(await server.stop('SIGINT'), 0)
    assert.doesNotMatch(server.output(), /"level":"error"/)
    assert.deepEqual(drafts(backups), [])

    writeFileSync(join(backups, 'bukhindor-2026-01-01T00-00-00.000Z.db.1.part'), 'left by a service that was killed')
    const next = await startServer({ ...scheduled, BACKUP_EVERY: '1h' })
    assert.deepEqual(drafts(backups), [])
    await pause(1500)
    assert.deepEqual(drafts(backups), [])
    assert.equal(await next.stop('SIGINT'), 0)
  })

  test('are avoided: a backup that would not fit on the disk is not started', async () => {
    // A file with a hole: as long as that, and takes nothing.
    const { bavail, bsize } = statfsSync(folder)
    const huge = join(folder, 'huge')
    mkdirSync(huge)
    writeFileSync(join(huge, 'bukhindor.db'), '')
    truncateSync(join(huge, 'bukhindor.db'), Math.min(bavail * bsize + 2 ** 30, 2 ** 42))
    const { status, stderr } = await bukhindor({ DATA_DIR: huge }, 'backup', join(folder, 'too-large.db'))
    assert.equal(status, 1)
    assert.match(stderr, /backup failed: not enough disk space\. .* has \d+ MiB free, and \d+ MiB are required/)
    assert.deepEqual(drafts(folder), [])
  })
})
