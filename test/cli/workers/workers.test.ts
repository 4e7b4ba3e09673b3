import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { type ServerProcess, startServer } from '../../support/processes.ts'

const PERSON = { email: 'anna@example.org', password: 'a walk along the river', name: 'Анна' }

/** A client that keeps one connection, and so one worker, for itself. */
function openConnection(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  return {
    close: () => agent.destroy(),
    // biome-ignore lint/suspicious/noExplicitAny: bodies of several shapes are read
    send: (method: string, path: string, body?: unknown, token?: string): Promise<{ status: number; body: any }> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
        request(`${url}/api/v1/auth${path}`, { method, agent, headers }, async (response) =>
          resolve({ status: response.statusCode as number, body: await json(response) }),
        )
          .on('error', reject)
          .end(body && JSON.stringify(body))
      }),
  }
}

type Connection = ReturnType<typeof openConnection>

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

describe('several processes on one port', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-workers-'))
  let server: ServerProcess
  before(async () => {
    server = await startServer({ DATA_DIR: folder, WORKERS: '2' })
    while (!lines(server).some(({ msg }) => msg === 'listening')) await pause(20) // Ready is when the first of them is.
  })
  after(async () => {
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  test('a logout at one is seen at the very next request at the other', async () => {
    const connections = [openConnection(server.url), openConnection(server.url)] as const
    await connections[0].send('POST', '/register', PERSON)
    for (let round = 0; round < 20; round++) {
      const login = await connections[round % 2 ? 0 : 1].send('POST', '/login', {
        email: PERSON.email,
        password: PERSON.password,
      })
      const token = login.body.user.access_token
      for (const connection of connections)
        assert.equal((await connection.send('GET', '/me', undefined, token)).status, 200)
      assert.equal((await connections[round % 2 ? 1 : 0].send('POST', '/logout', undefined, token)).status, 200)
      for (const connection of connections)
        assert.equal((await connection.send('GET', '/me', undefined, token)).status, 401)
    }
    for (const connection of connections) connection.close()
    const served = () => new Set(lines(server).flatMap(({ worker, route }) => (route?.endsWith('/me') ? [worker] : [])))
    while (served().size < 2) await pause(20) // The log is written a moment later.
  })

  test('writes at both at once wait for each other, and none is refused', async () => {
    const connections = Array.from({ length: 8 }, () => openConnection(server.url))
    const [first] = connections as [Connection]
    const { body } = await first.send('POST', '/login', { email: PERSON.email, password: PERSON.password })
    const answers = await Promise.all(
      connections.flatMap((connection) =>
        Array.from({ length: 25 }, (_, n) =>
          connection.send('PATCH', '/me', { name: `Анна ${n}` }, body.user.access_token),
        ),
      ),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    for (const connection of connections) connection.close()
  })

  test('one that dies is replaced, and the others serve meanwhile', async () => {
    const workers = childrenOf(server.pid)
    assert.equal(workers.length, 2)
    process.kill(workers[0] as number, 'SIGKILL')
    while (
      !lines(server).some(({ msg }) => msg === 'worker exited unexpectedly, starting another one') ||
      childrenOf(server.pid).length < 2
    )
      await pause(20)
    assert.ok(!childrenOf(server.pid).includes(workers[0] as number))
    for (let n = 0; n < 10; n++) {
      const connection = openConnection(server.url)
      assert.equal((await connection.send('GET', '/me')).status, 401)
      connection.close()
    }
  })

  test('SIGTERM ends all of them in order, with status 0', async () => {
    const workers = childrenOf(server.pid)
    assert.equal(await server.stop('SIGTERM'), 0)
    for (const pid of workers) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    assert.equal(lines(server).at(-1)?.msg, 'shutdown complete')
  })
})

test('a port that is taken is told by one message, and nothing stays behind', async () => {
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
