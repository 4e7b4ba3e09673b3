import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import { startServer } from '../support/processes.ts'
import { folder, run, secret } from './run.ts'

describe('bukhindor serve says in one message why it cannot start', () => {
  it('when the data folder cannot be made', async () => {
    for (const DATA_DIR of ['/dev/null/data', '/proc/data']) {
      const { status, err } = await run(['serve'], { env: { DATA_DIR } })
      assert.equal(status, 1)
      assert.match(err, new RegExp(`^bukhindor: cannot open the database ${DATA_DIR}/bukhindor\\.db: .*\\n$`))
    }
  })

  it('when the database file is none', async () => {
    await writeFile(join(folder, 'bukhindor.db'), 'no database, but a text that is long enough to look at'.repeat(20))
    const { status, err } = await run(['serve'])
    assert.equal(status, 1)
    assert.match(err, /bukhindor\.db: file is not a database\n$/)
  })

  it('when the database was made by a newer version', async () => {
    await run(['migrate', 'up'])
    const database = new BetterSqlite(join(folder, 'bukhindor.db'))
    database.exec(
      `insert into schema_migrations (version, name, checksum, applied_at) values (9999, 'future', 'x', '2030-01-01T00:00:00.000Z')`,
    )
    database.close()
    for (const args of [['serve'], ['migrate', 'up'], ['migrate', 'status'], ['user', 'list']]) {
      const { status, err } = await run(args)
      assert.equal(status, 1)
      assert.match(err, /migration 9999 \(future\).*newer version/)
    }
  })

  it('when PostgreSQL is not there, without its password', async () => {
    const env = { DATABASE_URL: 'postgres://me:hidden@127.0.0.1:1/app', APP_SECRET: secret }
    const { status, err } = await run(['serve'], { env })
    assert.equal(status, 1)
    assert.match(err, /cannot reach PostgreSQL at postgres:\/\/me:\*\*\*@127\.0\.0\.1:1\/app/)
  })

  it('when the secret in the data folder is none', async () => {
    await writeFile(join(folder, 'secret.key'), 'short\n')
    const { status, err } = await run(['serve'])
    assert.equal(status, 2)
    assert.match(err, /secret\.key: must be at least 32 random bytes/)
  })

  it('when the secret is lost and there are accounts, and makes no other one', async () => {
    await run(['user', 'create', '--email', 'anna@example.org', '--name', 'Anna'])
    await rm(join(folder, 'secret.key'))
    const { status, err } = await run(['serve'])
    assert.equal(status, 2)
    assert.match(err, /secret\.key is missing, but the database has accounts/)
    await assert.rejects(stat(join(folder, 'secret.key')))
  })

  it('when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const { status, err } = await run(['serve'], { env: { PORT: String(port) } })
    other.close()
    assert.equal(status, 1)
    assert.match(err, new RegExp(`port ${port} is in use.*Set PORT to a free port`))
  })

  it('when the address is not of this machine', async () => {
    const { status, err } = await run(['serve'], { env: { HOST: '192.0.2.1', PORT: '0' } })
    assert.equal(status, 1)
    assert.match(err, /HOST=192\.0\.2\.1 is not an address of this machine/)
  })
})

describe('bukhindor serve, where its log is for programs,', () => {
  const cases: [string, Record<string, string>, number, RegExp][] = [
    ['a wrong setting', { REQUEST_TIMEOUT: 'soon' }, 2, /REQUEST_TIMEOUT is "soon"/],
    ['a proxy that is no address', { TRUST_PROXY: 'bad' }, 2, /TRUST_PROXY is "bad": must be "off"/],
    [
      'a password that is not percent-encoded',
      { DATABASE_URL: 'postgres://me:pa/ss#w@127.0.0.1/app', APP_SECRET: secret },
      2,
      /DATABASE_URL: user and password must be percent-encoded: \/ is %2F/,
    ],
    ['a data folder that cannot be made', { DATA_DIR: '/dev/null/data' }, 1, /cannot open the database/],
    [
      'an address that is not of this machine',
      { HOST: '192.0.2.1', PORT: '0' },
      1,
      /HOST=192\.0\.2\.1 is not an address/,
    ],
  ]
  for (const [name, env, expected, sentence] of cases)
    it(`tells of ${name} there as well as to people`, async () => {
      const { status, out, err } = await run(['serve'], { env })
      assert.equal(status, expected)
      assert.match(err, sentence)
      const line = JSON.parse(out.trim().split('\n').at(-1) as string)
      assert.equal(line.level, 'fatal')
      assert.match(line.msg, sentence)
      assert.doesNotMatch(out + err, /pa\/ss/)
      assert.equal((await run(['serve'], { env: { ...env, LOG_FORMAT: 'pretty' } })).out, '')
    })
})

describe('bukhindor serve', () => {
  for (const WORKERS of ['1', '2'])
    it(`puts the port that it has found into links, with PORT=0 and WORKERS=${WORKERS}`, async () => {
      const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', WORKERS, PORT: '0' })
      const { port } = new URL(server.url)
      assert.notEqual(port, '0')
      const headers = { 'content-type': 'application/json' }
      const credentials = { email: 'a@example.org', password: 'a walk along the river' }
      const post = (path: string, body: object) =>
        fetch(`${server.url}/api/v1/auth/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
      assert.equal((await post('register', { ...credentials, name: 'A' })).status, 201)
      const { user } = (await (await post('login', credentials)).json()) as { user: { access_token: string } }
      const [, claims = ''] = user.access_token.split('.')
      assert.equal(JSON.parse(Buffer.from(claims, 'base64url').toString()).iss, `http://localhost:${port}`)
      const link = new RegExp(`"link":"http://localhost:${port}/`)
      while (!link.test(server.output())) await pause(20)
      assert.equal(await server.stop('SIGINT'), 0)
    })

  it('goes on when nobody reads its log any more', async () => {
    const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    server.closeOutput()
    for (let n = 0; n < 5; n++) {
      assert.equal((await fetch(`${server.url}/health`)).status, 200)
      await pause(60)
    }
    assert.equal(await server.stop('SIGINT'), 0)
  })

  it('tells where it is, where the data lies, and how to make the first administrator; keeps its secret to itself', async () => {
    const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    assert.equal(await server.stop(), 0)
    const output = server.output()
    assert.match(output, new RegExp(`running at ${server.url}`))
    assert.ok(output.includes(join(folder, 'bukhindor.db')))
    assert.match(output, /user create --email \S+ --name \S+ --role admin --password-stdin/)
    assert.equal((await stat(join(folder, 'secret.key'))).mode & 0o777, 0o600)
    assert.ok(!output.includes((await readFile(join(folder, 'secret.key'), 'utf8')).trim()))
  })

  it('prints a command for the first administrator that works where it is printed', async () => {
    const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    const [, command = ''] = /first administrator {2}(.*)\n/.exec(server.output()) ?? []
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      encoding: 'utf8',
      env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: folder },
    })
    assert.deepEqual([status, stderr], [0, ''], command)
    assert.match(stdout, /^Created you@example\.org \(admin, /)
    await server.stop()

    const installed = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', COMMAND_LINE: 'enter {hostname} run' })
    await installed.stop()
    assert.ok(installed.output().includes(`| enter ${hostname()} run user create --email`))
  })

  it('warns of what is seldom meant in production, and only there', async () => {
    const said = async (env: Record<string, string>) => {
      const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', ...env })
      await server.stop('SIGINT')
      return /SMTP_URL is not set|APP_URL is http/.test(server.output())
    }
    assert.equal(await said({ NODE_ENV: 'production' }), true)
    assert.equal(await said({}), false)
  })
})
