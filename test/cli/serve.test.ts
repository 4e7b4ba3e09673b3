import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import { createClient, signUp } from '../support/process-client.ts'
import { startServer } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { folder, run, secret } from './run.ts'

describe('bukhindor serve prints one message when it cannot start', () => {
  test('when the data folder cannot be created', async () => {
    for (const DATA_DIR of ['/dev/null/data', '/proc/data']) {
      const { status, err } = await run(['serve'], { env: { DATA_DIR } })
      assert.equal(status, 1)
      assert.match(err, new RegExp(`^bukhindor: cannot open the database ${DATA_DIR}/bukhindor\\.db: .*\\n$`))
    }
  })

  test('when the database file is not a database', async () => {
    await writeFile(join(folder, 'bukhindor.db'), 'no database, but a text that is long enough to look at'.repeat(20))
    const { status, err } = await run(['serve'])
    assert.equal(status, 1)
    assert.match(err, /bukhindor\.db: file is not a database\n$/)
  })

  test('when the database was made by a newer version', async () => {
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

  test('when PostgreSQL cannot be reached, without its password', async () => {
    const env = { DATABASE_URL: 'postgres://me:hidden@127.0.0.1:1/app', APP_SECRET: secret }
    const { status, err } = await run(['serve'], { env })
    assert.equal(status, 1)
    assert.match(err, /cannot reach PostgreSQL at postgres:\/\/me:\*\*\*@127\.0\.0\.1:1\/app/)
  })

  test('when the secret in the data folder is invalid', async () => {
    await writeFile(join(folder, 'secret.key'), 'short\n')
    const { status, err } = await run(['serve'])
    assert.equal(status, 2)
    assert.match(err, /secret\.key: must be at least 32 random bytes/)
  })

  test('when the secret is missing although there are accounts, and creates no other secret', async () => {
    await run(['user', 'create', '--email', 'anna@example.org', '--name', 'Anna'])
    await rm(join(folder, 'secret.key'))
    const { status, err } = await run(['serve'])
    assert.equal(status, 2)
    assert.match(err, /secret\.key is missing, but the database has accounts/)
    await assert.rejects(stat(join(folder, 'secret.key')))
  })

  test('when the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const { status, err } = await run(['serve'], { env: { PORT: String(port) } })
    other.close()
    assert.equal(status, 1)
    assert.match(err, new RegExp(`port ${port} is in use.*Set PORT to a free port`))
  })

  test('when HOST is not an address of this machine', async () => {
    const { status, err } = await run(['serve'], { env: { HOST: '192.0.2.1', PORT: '0' } })
    assert.equal(status, 1)
    assert.match(err, /HOST=192\.0\.2\.1 is not an address of this machine/)
  })
})

describe('bukhindor serve with a JSON log', () => {
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
    test(`reports ${name} in the log as well as on standard error`, async () => {
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
    test(`puts the actual port into links with PORT=0 and WORKERS=${WORKERS}`, async () => {
      const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', WORKERS, PORT: '0' })
      const { port } = new URL(server.url)
      assert.notEqual(port, '0')
      const client = createClient(server.url)
      const { access_token } = await signUp(client, 'a@example.org')
      client.close()
      const [, claims = ''] = access_token.split('.')
      assert.equal(JSON.parse(Buffer.from(claims, 'base64url').toString()).iss, `http://localhost:${port}`)
      const link = new RegExp(`"link":"http://localhost:${port}/`)
      await until(() => link.test(server.output()), { details: server.output })
      assert.equal(await server.stop('SIGINT'), 0)
    })

  test('keeps running when the reader of its log is gone', async () => {
    const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    server.closeOutput()
    for (let n = 0; n < 5; n++) {
      assert.equal((await fetch(`${server.url}/health`)).status, 200)
      await pause(60)
    }
    assert.equal(await server.stop('SIGINT'), 0)
  })

  test('prints its URL, the data folder and how to create the first administrator, but no secret', async () => {
    const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    assert.equal(await server.stop(), 0)
    const output = server.output()
    assert.match(output, new RegExp(`running at ${server.url}`))
    assert.ok(output.includes(join(folder, 'bukhindor.db')))
    assert.match(output, /user create --email \S+ --name \S+ --role admin --password-stdin/)
    assert.equal((await stat(join(folder, 'secret.key'))).mode & 0o777, 0o600)
    assert.ok(!output.includes((await readFile(join(folder, 'secret.key'), 'utf8')).trim()))
  })

  test('prints a command for the first administrator that works as printed', async () => {
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

  test('warns of unusual settings in production only', async () => {
    const said = async (env: Record<string, string>) => {
      const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', ...env })
      await server.stop('SIGINT')
      return /SMTP_URL is not set|APP_URL is http/.test(server.output())
    }
    assert.equal(await said({ NODE_ENV: 'production' }), true)
    assert.equal(await said({}), false)
  })
})
