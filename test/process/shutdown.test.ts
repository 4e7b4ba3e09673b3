import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type ServerProcess, startServer } from '../support/processes.ts'

describe('A server that is told to end', () => {
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

  test('fails no request over kept connections, says that it goes, and ends with 0', async () => {
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
    while (seen.answered < 200) await delay(5)
    const code = await server.stop('SIGTERM')
    await Promise.all(workers)
    assert.deepEqual(seen.failed, [])
    assert.equal(code, 0)
    assert.equal(seen.closing, 8)
    assert.match(server.output(), /"signal":"SIGTERM"[\s\S]*"msg":"bye"/)
  })

  test('turns its readiness first, while it still serves', async () => {
    const ended = server.stop('SIGTERM')
    while ((await fetch(`${server.url}/health/ready`)).status === 200);
    const ready = await fetch(`${server.url}/health/ready`)
    assert.equal(ready.status, 503)
    assert.equal(((await ready.json()) as { reason: string }).reason, 'shutting_down')
    assert.equal((await fetch(`${server.url}/health/live`)).status, 200)
    assert.equal(await ended, 0)
  })

  test('finishes a request that is on the way', async () => {
    const body = JSON.stringify({ email: 'late@example.org', password: 'a walk along the river', name: 'Late' })
    const { port } = new URL(server.url)
    const socket = connect(Number(port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(
      `POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    const ended = server.stop('SIGTERM')
    while ((await fetch(`${server.url}/health/ready`)).status === 200);
    socket.write(body)
    let answer = ''
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text
    })
    await once(socket, 'close')
    assert.match(answer, /^HTTP\/1\.1 201 /)
    assert.equal(await ended, 0)
  })

  test('ends at once by Ctrl-C, since nobody balances load at a terminal', async () => {
    assert.equal(await server.stop('SIGINT'), 0)
    await assert.rejects(fetch(`${server.url}/health`))
  })
})

describe('A server that cannot start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-start-'))
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('because its port is taken says so, and what to do', async () => {
    const taken = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    try {
      const env = { DATA_DIR: folder, PORT: String(port), LOG_FORMAT: 'json' }
      const error = await startServer(env).then(() => assert.fail('it started'), String)
      assert.match(error, /exit status 1/)
      assert.match(error, new RegExp(`port ${port} is taken.*Set PORT`))
      assert.doesNotMatch(error, /node:internal/)
    } finally {
      taken.close()
    }
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
