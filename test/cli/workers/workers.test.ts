import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { requireStatus } from '../../support/auth-calls.ts'
import { type Client, createClient } from '../../support/process-client.ts'
import { type ServerProcess, startServer } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

const EMAIL = 'anna@example.org'

/** A client that keeps one connection, and so one worker, for itself. */
const openConnection = (url: string) => createClient(url, { sockets: 1 })

const lines = (server: ServerProcess) =>
  server
    .output()
    .split('\n')
    .filter((line) => /^{.*}$/.test(line))
    .map((line) => JSON.parse(line))

const childrenOf = (pid: number) =>
  execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
    .trim()
    .split(/\s+/)
    .map(Number)

describe('Several workers on one port', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-workers-'))
  let server: ServerProcess
  before(async () => {
    server = await startServer({ DATA_DIR: folder, WORKERS: '2' })
    // The server is ready when the first of its processes is.
    await until(() => lines(server).some(({ msg }) => msg === 'listening'), { details: server.output })
  })
  after(async () => {
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  test('a logout in one is seen by the next request in the other', async () => {
    const connections = [openConnection(server.url), openConnection(server.url)] as const
    requireStatus(201, await connections[0].register({ email: EMAIL }))
    for (let round = 0; round < 20; round++) {
      const login = await connections[round % 2 ? 0 : 1].login({ email: EMAIL })
      const token = requireStatus(200, login).body.user.access_token
      for (const connection of connections) assert.equal((await connection.me(token)).status, 200)
      assert.equal((await connections[round % 2 ? 1 : 0].post('/api/v1/auth/logout', { token })).status, 200)
      for (const connection of connections) assert.equal((await connection.me(token)).status, 401)
    }
    for (const connection of connections) connection.close()
    const served = () => new Set(lines(server).flatMap(({ worker, route }) => (route?.endsWith('/me') ? [worker] : [])))
    await until(() => served().size === 2) // The log is written a moment later.
  })

  test('concurrent writes in both wait for each other and none is refused', async () => {
    const connections = Array.from({ length: 8 }, () => openConnection(server.url))
    const [first] = connections as [Client]
    const { body } = requireStatus(200, await first.login({ email: EMAIL }))
    const answers = await Promise.all(
      connections.flatMap((connection) =>
        Array.from({ length: 25 }, (_, n) => connection.rename(body.user.access_token, `Анна ${n}`)),
      ),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    for (const connection of connections) connection.close()
  })

  test('a worker that dies is replaced while the others serve', async () => {
    const workers = childrenOf(server.pid)
    assert.equal(workers.length, 2)
    process.kill(workers[0] as number, 'SIGKILL')
    await until(
      () =>
        lines(server).some(({ msg }) => msg === 'worker exited unexpectedly, starting another one') &&
        childrenOf(server.pid).length === 2,
    )
    assert.ok(!childrenOf(server.pid).includes(workers[0] as number))
    for (let n = 0; n < 10; n++) {
      const connection = openConnection(server.url)
      assert.equal((await connection.get('/api/v1/auth/me')).status, 401)
      connection.close()
    }
  })

  test('SIGTERM stops all of them with exit status 0', async () => {
    const workers = childrenOf(server.pid)
    assert.equal(await server.stop('SIGTERM'), 0)
    for (const pid of workers) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    assert.equal(lines(server).at(-1)?.msg, 'shutdown complete')
  })
})

test('a port in use is reported by one message', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-workers-'))
  const first = await startServer({ DATA_DIR: folder })
  const env = {
    PATH: process.env.PATH,
    DATA_DIR: folder,
    WORKERS: '2',
    HOST: '127.0.0.1',
    PORT: new URL(first.url).port,
  }
  const { status, stderr } = spawnSync(process.execPath, ['bin/bukhindor.js', 'serve'], { env, encoding: 'utf8' })
  assert.equal(status, 1)
  assert.match(stderr, /port \d+ is in use/)
  await first.stop('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
