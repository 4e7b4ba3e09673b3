import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import { createClient } from '../support/process-client.ts'
import { freePort, type ServerProcess, startServer } from '../support/processes.ts'
import { until } from '../support/until.ts'

describe('A server that is stopped', () => {
  let folder = ''
  let server: ServerProcess
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bukhindor-shutdown-'))
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
  })
  afterEach(async () => {
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  test('fails no request on keep-alive connections, closes them, and exits with 0', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const seen = { answered: 0, failed: [] as unknown[], closing: 0 }
    const worker = async () => {
      try {
        // A client that is told that the connection closes opens its next one at another instance.
        while (!(await get(`${server.url}/health`, agent))) seen.answered++
        seen.closing++
      } catch (error) {
        seen.failed.push(error)
      }
    }
    const workers = Array.from({ length: 8 }, worker)
    await until(() => seen.answered >= 200)
    const code = await server.stop('SIGTERM')
    await Promise.all(workers)
    assert.deepEqual(seen.failed, [])
    assert.equal(code, 0)
    assert.equal(seen.closing, 8)
    assert.match(server.output(), /"signal":"SIGTERM"[\s\S]*"msg":"shutdown complete"/)
  })

  for (const signal of ['SIGTERM', 'SIGHUP'] as const)
    test(`becomes unready first and still serves on ${signal}`, async () => {
      const ended = server.stop(signal)
      const ready = await until(async () => {
        const answer = await fetch(`${server.url}/health/ready`)
        return answer.status !== 200 && answer
      })
      assert.equal(ready.status, 503)
      assert.equal(((await ready.json()) as { reason: string }).reason, 'shutting_down')
      assert.equal((await fetch(`${server.url}/health/live`)).status, 200)
      assert.equal(await ended, 0)
    })

  test('finishes a running request', async () => {
    const body = JSON.stringify({ email: 'late@example.org', password: 'a walk along the river', name: 'Late' })
    const { port } = new URL(server.url)
    const socket = connect(Number(port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(
      `POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    const ended = server.stop('SIGTERM')
    await until(async () => (await fetch(`${server.url}/health/ready`)).status === 503)
    socket.write(body)
    let answer = ''
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text
    })
    await once(socket, 'close')
    assert.match(answer, /^HTTP\/1\.1 201 /)
    assert.equal(await ended, 0)
  })

  test('exits at once on Ctrl-C', async () => {
    assert.equal(await server.stop('SIGINT'), 0)
    await assert.rejects(fetch(`${server.url}/health`))
  })
})

test('a server whose log is no longer read still exits', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-unread-'))
  const port = await freePort()
  execFileSync('sh', ['-c', 'mkfifo "$0"', join(folder, 'gate')])
  const script =
    'sh -c \'echo $$ > "$0/pid"; exec "$1" bin/bukhindor.js serve\' "$0" "$1" | { cat "$0/gate" > /dev/null; }'
  const shell = spawn('sh', ['-c', script, folder, process.execPath], {
    env: { PATH: process.env.PATH, DATA_DIR: folder, LOG_FORMAT: 'json', PORT: String(port) },
    stdio: 'ignore',
  })
  const client = createClient(`http://127.0.0.1:${port}`, { sockets: 8 })
  await until(async () => (await client.get('/health')).status === 200)
  // More than a pipe holds, and than is gathered: a write waits.
  for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 200 }, () => client.get('/health')))
  client.close()
  const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'))
  process.kill(pid, 'SIGTERM')
  const isThere = () => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  await until(() => !isThere())
  writeFileSync(join(folder, 'gate'), '')
  if (shell.exitCode === null) await once(shell, 'exit')
  rmSync(folder, { recursive: true, force: true })
})

test('in production SIGUSR1 opens no debugger, with one worker or several', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-debugger-'))
  for (const WORKERS of ['1', '2']) {
    const server = await startServer({ DATA_DIR: folder, NODE_ENV: 'production', LOG_FORMAT: 'json', WORKERS })
    await until(() => server.output().includes('"msg":"listening"'), { details: server.output })
    const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(server.pid)], { encoding: 'utf8' }).stdout
    for (const pid of [server.pid, ...children.trim().split(/\s+/).filter(Boolean).map(Number)])
      process.kill(pid, 'SIGUSR1')
    for (let n = 0; n < 10; n++) assert.equal((await fetch(`${server.url}/health`)).status, 200)
    await delay(200)
    assert.equal(await server.stop('SIGINT'), 0)
    assert.doesNotMatch(server.output(), /Debugger listening/)
  }
  rmSync(folder, { recursive: true, force: true })
})

test('at the file descriptor limit connections are refused and logged, and the service continues', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-descriptors-'))
  const server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' }, [], 200)
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  for (let n = 0; n < 400; n++) {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {})
    sockets.push(socket)
  }
  await until(() => server.output().includes('connections refused'), { details: server.output })
  assert.match(server.output(), /"level":"error".*"descriptor_limit":200.*raise the limit of open files/)
  for (const socket of sockets) socket.destroy()
  const client = createClient(server.url)
  await until(async () => (await client.get('/health')).status === 200)
  assert.equal((await client.register({ email: 'a@example.org' })).status, 201)
  client.close()
  assert.equal(await server.stop('SIGINT'), 0)
})

describe('A server that cannot start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-start-'))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('because its port is in use says so and what to do', async () => {
    const taken = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    try {
      const env = { DATA_DIR: folder, PORT: String(port), LOG_FORMAT: 'json' }
      const error = await startServer(env).then(() => assert.fail('it started'), String)
      assert.match(error, /exit status 1/)
      assert.match(error, new RegExp(`port ${port} is in use.*Set PORT`))
      assert.doesNotMatch(error, /node:internal/)
    } finally {
      taken.close()
    }
  })

  for (const WORKERS of ['1', '2'])
    test(`because its port is in use sends no email and makes no backup, with WORKERS=${WORKERS}`, async () => {
      const data = mkdtempSync(join(tmpdir(), 'bukhindor-taken-'))
      const first = await startServer({
        DATA_DIR: data,
        LOG_FORMAT: 'json',
        SMTP_URL: 'smtp://127.0.0.1:1',
        MAIL_FROM: 'a@b',
      })
      const client = createClient(first.url)
      assert.equal((await client.register({ email: 'a@example.org' })).status, 201)
      client.close()
      await first.stop('SIGKILL') // A mail waits.
      const taken = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
      await once(taken, 'listening')
      const { port } = taken.address() as { port: number }
      const database = new BetterSqlite(join(data, 'bukhindor.db'))
      database.exec(
        `update outbox set next_try_at = '2000-01-01T00:00:00.000Z', claimed_until = '2000-01-01T00:00:00.000Z', tries = 0`,
      )
      database.close()
      const env = { DATA_DIR: data, PORT: String(port), LOG_FORMAT: 'json', WORKERS, BACKUP_EVERY: '1d' }
      await assert.rejects(startServer(env), /is in use/)
      taken.close()
      assert.equal(existsSync(join(data, 'mail')), false)
      assert.equal(existsSync(join(data, 'backups')), false)
      const after = new BetterSqlite(join(data, 'bukhindor.db'), { readonly: true })
      assert.deepEqual(after.prepare('select tries from outbox').all(), [{ tries: 0 }])
      after.close()
      rmSync(data, { recursive: true, force: true })
    })
})

/** Resolves when the whole answer is there: whether it said that it closes the connection. */
function get(url: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (response) => {
      response.on('error', reject)
      response.resume().on('end', () => resolve(response.headers.connection === 'close'))
    })
    asked.on('error', reject).end()
  })
}
