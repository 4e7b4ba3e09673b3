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
import { type ServerProcess, startServer } from '../support/processes.ts'

const PASSWORD = 'a walk along the river'
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

async function call(url: string, method: string, path: string, body?: unknown, token?: string) {
  const response = await fetch(`${url}/api/v1/auth${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: bodies of several shapes are read
  return { status: response.status, body: (await response.json()) as any }
}

describe('backups of the embedded database', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-backup-'))
  const env = { DATA_DIR: join(folder, 'live') }
  const elsewhere = { DATA_DIR: join(folder, 'elsewhere') }
  const live = join(env.DATA_DIR, 'bukhindor.db')
  const file = join(folder, 'copy.db')
  let server: ServerProcess
  let token = ''
  before(async () => {
    server = await startServer(env)
    await call(server.url, 'POST', '/register', { email: 'anna@example.org', password: PASSWORD, name: 'Anna' })
    token = (await call(server.url, 'POST', '/login', { email: 'anna@example.org', password: PASSWORD })).body.user
      .access_token
  })
  after(async () => {
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  test('one made while the service writes has all that was acknowledged before', async () => {
    let acknowledged = 0
    let isDone = false
    const load = Array.from({ length: 4 }, async () => {
      // Fewer than one person may write in a minute, and slowly enough to go on while the copy is made.
      while (!isDone && acknowledged < MAX_WRITES) {
        await pause(40)
        const next = acknowledged + 1
        const { status } = await call(
          server.url,
          'PATCH',
          '/me',
          { name: `Anna ${String(next).padStart(9, '0')}` },
          token,
        )
        assert.equal(status, 200)
        acknowledged = Math.max(acknowledged, next)
      }
    })
    while (acknowledged < 20) await pause(5)
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

  test('restored elsewhere every row is equal, and the service serves from it', async () => {
    assert.equal((await bukhindor(env, 'backup', file, '--force')).status, 0)
    assert.deepEqual(contents(file), contents(live))
    const { status, stderr, stdout } = await bukhindor(elsewhere, 'restore', file, '--json')
    assert.equal(status, 0, stderr)
    const restored = join(elsewhere.DATA_DIR, 'bukhindor.db')
    assert.deepEqual(JSON.parse(stdout), { file: restored, kept: null })
    assert.deepEqual(contents(restored), contents(live))
    copyFileSync(join(env.DATA_DIR, 'secret.key'), join(elsewhere.DATA_DIR, 'secret.key'))
    const other = await startServer(elsewhere)
    const login = await call(other.url, 'POST', '/login', { email: 'anna@example.org', password: PASSWORD })
    assert.equal(login.status, 200)
    await other.stop('SIGKILL')
  })

  test('a database that is in use is not replaced', async () => {
    const { status, stderr } = await bukhindor(env, 'restore', file)
    assert.equal(status, 1)
    assert.match(stderr, /is in use: stop the service first/)
    assert.equal((await call(server.url, 'GET', '/me', undefined, token)).status, 200)
    assert.equal((await call(server.url, 'PATCH', '/me', { name: 'Anna' }, token)).status, 200)
  })

  test('what was there before is kept, and nothing else stays behind', async () => {
    const old = contents(join(elsewhere.DATA_DIR, 'bukhindor.db'))
    const { status, stdout, stderr } = await bukhindor(elsewhere, 'restore', file, '--json')
    assert.equal(status, 0, stderr)
    const { kept } = JSON.parse(stdout)
    assert.deepEqual(contents(kept), old)
    const names = readdirSync(elsewhere.DATA_DIR).filter((name) => name.startsWith('bukhindor.db'))
    assert.equal(names.length, 2, names.join())
  })

  test('a damaged database is replaced all the same', async () => {
    const damaged = join(elsewhere.DATA_DIR, 'bukhindor.db')
    writeFileSync(damaged, 'this was a database once, and is not one any more'.repeat(100))
    writeFileSync(`${damaged}-wal`, 'left behind')
    const { status, stderr } = await bukhindor(elsewhere, 'restore', file)
    assert.equal(status, 0, stderr)
    assert.deepEqual(contents(damaged), contents(file))
  })

  test('a damaged file, a foreign one and one of a newer version are refused', async () => {
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

  test('a schedule keeps as many as it is told', async () => {
    const scheduled = await startServer({ DATA_DIR: join(folder, 'scheduled'), BACKUP_EVERY: '1s', BACKUP_KEEP: '2' })
    const made = () => [...scheduled.output().matchAll(/"msg":"backup created"/g)].length
    while (made() < 3) await pause(50)
    assert.equal(await scheduled.stop('SIGTERM'), 0)
    const backups = join(folder, 'scheduled', 'backups')
    const names = readdirSync(backups).filter((name) => name.endsWith('.db'))
    assert.equal(names.length, 2)
    for (const name of names) assert.equal(integrity(join(backups, name)), 'ok')
  })

  test('a folder that is not there is not made', async () => {
    const { status, stderr } = await bukhindor(env, 'backup', join(folder, 'mistyped', 'copy.db'))
    assert.equal(status, 1)
    assert.match(stderr, /folder .*mistyped does not exist: create it first/)
    assert.ok(!existsSync(join(folder, 'mistyped')))
  })

  test('the file shrinks by `database vacuum`, with every row, and not while the service runs', async () => {
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

  test('with PostgreSQL the commands name the tools that do it', async () => {
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

describe('backups that do not come to an end', () => {
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
  async function draftIn(of: string): Promise<void> {
    const deadline = performance.now() + 30_000
    while (drafts(of).length === 0) {
      assert.ok(performance.now() < deadline, 'no draft came')
      await pause(2)
    }
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    test(`one that is interrupted by ${signal} leaves nothing behind`, async () => {
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

  test('what one that was killed has left goes with the next to the same file', async () => {
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

  test('a service that stops gives its own up without an error, and begins none right after a start', async () => {
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

  test('one that would not fit on the disk is not begun', async () => {
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
