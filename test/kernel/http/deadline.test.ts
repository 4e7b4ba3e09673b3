import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createPlainServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createSlowReaderGuard } from '../../../src/kernel/http/plugins/slow-readers.ts'
import { createServer } from '../../../src/kernel/http/server.ts'
import type { App } from '../../../src/kernel/http/types.ts'
import { createLog } from '../../../src/kernel/log/log.ts'
import { loadConfig } from '../../../src/settings/config.ts'
import { until } from '../../support/until.ts'

const DEADLINE_MS = 1000

/** What would have ended a process that is no test. */
const uncaught: unknown[] = []
process.on('uncaughtException', (error) => uncaught.push(error))
afterEach(() => assert.deepEqual(uncaught, []))

describe('A request at its deadline', () => {
  const lines: Record<string, unknown>[] = []
  let app: App
  let url = ''
  let proceed = () => {}
  let isWorking = false

  before(async () => {
    const log = await createLog(
      { logLevel: 'info', logFormat: 'json' },
      { write: (line: string) => void lines.push(JSON.parse(line)) },
    )
    app = await createServer(loadConfig({ REQUEST_TIMEOUT: '1s' }), log, { draining: false })
    app.get('/late', async () => {
      isWorking = true
      await new Promise<void>((resolve) => {
        proceed = resolve
      })
      isWorking = false
      return { late: true }
    })
    app.get('/drip', (_request, reply) => {
      const stream = new PassThrough()
      reply.header('content-type', 'text/plain').send(stream)
      let count = 0
      const timer = setInterval(() => {
        stream.write('drop\n')
        if (++count < 12) return
        clearInterval(timer)
        stream.end()
      }, DEADLINE_MS / 4)
    })
    app.get('/stuck', (_request, reply) => {
      const stream = new PassThrough()
      reply.header('content-type', 'text/plain').send(stream)
      stream.write('one drop\n')
    })
    app.get(
      '/hooked',
      {
        onSend: async (_request, _reply, payload) => {
          await pause(1.5 * DEADLINE_MS)
          return payload
        },
      },
      async () => ({ hooked: true }),
    )
    url = await app.listen({ port: 0, host: '127.0.0.1' })
  })
  after(() => app.close())

  const linesOf = (route: string) => lines.filter((line) => line.msg === 'request' && line.route === route)

  test('gets 503, and the late result of its handler is ignored', async () => {
    const answer = await fetch(`${url}/late`)
    assert.equal(answer.status, 503)
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(((await answer.json()) as { reason: string }).reason, 'deadline_exceeded')
    proceed()
    assert.equal((await fetch(`${url}/nowhere`)).status, 404)
    assert.deepEqual(
      linesOf('/late').map(({ status, reason }) => [status, reason]),
      [[503, 'deadline_exceeded']],
    )
  })

  test('may finish an answer that is being sent', async () => {
    const answer = await fetch(`${url}/drip`)
    assert.equal(answer.status, 200)
    assert.equal(await answer.text(), 'drop\n'.repeat(12))
  })

  test('is disconnected and logged when its answer has stalled', async () => {
    const answer = await fetch(`${url}/stuck`)
    assert.equal(answer.status, 200)
    await assert.rejects(answer.text())
    await until(() => linesOf('/stuck').length > 0)
    assert.deepEqual(
      linesOf('/stuck').map(({ status, aborted }) => [status, aborted]),
      [[200, true]],
    )
  })

  test('is answered once, by its handler, while onSend hooks run', async () => {
    const answer = await fetch(`${url}/hooked`)
    assert.deepEqual([answer.status, await answer.json()], [200, { hooked: true }])
  })

  test('is logged once when its client has disconnected', async () => {
    const before = linesOf('/late').length
    const { port } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write('GET /late HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(socket, 'connect')
    await until(() => isWorking)
    socket.resetAndDestroy()
    await until(() => linesOf('/late').length > before)
    proceed()
    assert.equal((await fetch(`${url}/nowhere`)).status, 404)
    assert.equal(linesOf('/late').length, before + 1)
    assert.equal(linesOf('/late').at(-1)?.aborted, true)
  })
})

describe('A client', () => {
  const WINDOW_MS = 1500
  const MIN_BYTES = 64 * 1024
  const BODY = Buffer.alloc(8 * 1024 * 1024, 'x')

  /** A server of one large answer, with a guard that is less patient than the service's. */
  async function withGuard(work: (port: number, lines: string[]) => Promise<void>) {
    const lines: string[] = []
    const log = await createLog(
      { logLevel: 'info', logFormat: 'json' },
      { write: (line: string) => void lines.push(line) },
    )
    const guard = createSlowReaderGuard(log, { windowMs: WINDOW_MS, minBytes: MIN_BYTES })
    const server = createPlainServer((request, response) => {
      guard.watch(request.socket)
      response.end(request.url === '/small' ? 'x' : BODY)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      await work((server.address() as AddressInfo).port, lines)
    } finally {
      guard.stop()
      server.closeAllConnections()
      server.close()
    }
  }

  const ask = (port: number, path: string, times = 1) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(times))
    return socket
  }

  test('that reads nothing, or a byte now and then, is disconnected', () =>
    withGuard(async (port, lines) => {
      const still = ask(port, '/').pause()
      const trickling = ask(port, '/').pause()
      const drip = setInterval(() => trickling.read(1), 100)
      await until(() => lines.length >= 2)
      clearInterval(drip)
      assert.ok(lines.every((line) => line.includes('slow reader disconnected')))
      for (const socket of [still, trickling]) {
        socket.resume()
        if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
        assert.ok(socket.bytesRead < BODY.length)
      }
    }))

  test('that reads slowly but steadily gets the whole answer', () =>
    withGuard(async (port, lines) => {
      const response = await fetch(`http://127.0.0.1:${port}/`)
      let read = 0
      for await (const chunk of response.body ?? []) {
        read += chunk.length
        await pause(20)
      }
      assert.equal(read, BODY.length)
      assert.deepEqual(lines, [])
    }))

  test('that has read everything keeps its connection', () =>
    withGuard(async (port, lines) => {
      const socket = ask(port, '/small')
      await once(socket, 'data')
      await pause(2.5 * WINDOW_MS)
      assert.equal(socket.closed, false)
      assert.deepEqual(lines, [])
      socket.write('GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      assert.match(await text(socket), /200 OK/)
    }))
})
