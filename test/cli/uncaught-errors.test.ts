import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createRetryQueue } from '../../src/kernel/db/retry-queue.ts'
import { guarded } from '../../src/kernel/lib/guarded.ts'
import { startApp, type TestApp } from '../support/app.ts'
import { createClient } from '../support/process-client.ts'
import { type ServerProcess, startServer } from '../support/processes.ts'
import { until } from '../support/until.ts'

const INJECTION = { NODE_OPTIONS: `--import ${import.meta.resolve('../support/throw-on-sigusr2.js')}` }
const BODY = JSON.stringify({ email: 'late@example.org', password: 'a walk along the river', name: 'Late' })

/** A request of which the headers have gone, and the body has not. */
async function begin(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(
    `POST /api/v1/auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\nExpect: 100-continue\r\n\r\n`,
  )
  await once(socket, 'data') // 100: it is under way.
  return socket
}

describe('An uncaught error', () => {
  let folder = ''
  let server: ServerProcess
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bukhindor-fatal-'))
  })
  afterEach(async () => {
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  test('is logged, running requests finish, new ones are refused, and the process exits with 1', async () => {
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', ...INJECTION })
    const socket = await begin(server.url)
    const ended = server.stop('SIGUSR2')
    await until(() => server.output().includes('"msg":"uncaughtException"'))
    const newcomer = createClient(server.url, { keepAlive: false })
    await until(async () => (await newcomer.get('/health')).status !== 200)
    socket.write(BODY)
    assert.match(await text(socket), /^HTTP\/1\.1 201 /)
    assert.equal(await ended, 1)
    assert.match(server.output(), /"level":"fatal".*"message":"injected"/)
  })

  test('followed by another one does not cut off running requests', async () => {
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', ...INJECTION })
    const socket = await begin(server.url)
    const ended = server.stop('SIGUSR2')
    await until(() => server.output().includes('"msg":"uncaughtException"'))
    process.kill(server.pid, 'SIGUSR2')
    await until(() => server.output().split('"msg":"uncaughtException"').length === 3)
    socket.write(BODY)
    assert.match(await text(socket), /^HTTP\/1\.1 201 /)
    assert.equal(await ended, 1)
  })

  test('does not wait forever for running requests', async () => {
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', ...INJECTION })
    const socket = await begin(server.url)
    assert.equal(await server.stop('SIGUSR2'), 1)
    socket.destroy()
  })

  test('in a worker stops that worker while the others serve', async () => {
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', WORKERS: '2', ...INJECTION })
    await until(() => server.output().includes('"msg":"listening"'))
    const workers = () =>
      execFileSync('ps', ['-o', 'pid=', '--ppid', String(server.pid)], { encoding: 'utf8' })
        .trim()
        .split(/\s+/)
        .map(Number)
    const [first] = workers()
    process.kill(first as number, 'SIGUSR2')
    await until(() => server.output().includes('"msg":"worker exited unexpectedly, starting another one"'))
    assert.match(server.output(), /"msg":"worker exited unexpectedly, starting another one"/)
    assert.match(server.output(), /"status":1/)
    const client = createClient(server.url, { keepAlive: false }) // None of the connections that went with the worker.
    for (let n = 0; n < 10; n++) assert.equal((await client.get('/health')).status, 200)
    await until(() => workers().length === 2 && !workers().includes(first as number))
    assert.equal(await server.stop('SIGTERM'), 0)
  })
})

describe('An error in a timer is logged and the service continues', () => {
  let app: TestApp
  const uncaught: unknown[] = []
  process.on('uncaughtException', (error) => uncaught.push(error))
  before(async () => {
    app = await startApp('sqlite')
  })
  after(async () => {
    await app.close()
    assert.deepEqual(uncaught, [])
  })

  const told = (task: string) => app.logs.some((line) => line.task === task && line.level === 'error')
  /** Lets a clock of the process fail for callers in one file, until the log has told of it. */
  async function failing<K extends string>(
    object: Record<K, unknown>,
    name: K,
    file: string,
    task: string,
    meanwhile = async () => {},
  ) {
    const original = object[name] as (...args: unknown[]) => unknown
    object[name] = (...args: unknown[]) => {
      if (new Error().stack?.includes(file)) throw new Error('injected')
      return original.apply(object, args)
    }
    try {
      await meanwhile()
      await until(() => told(task))
    } finally {
      object[name] = original
    }
    assert.equal((await app.api.get('/health')).status, 200)
  }

  for (const [task, file] of [
    ['deadlines', '/deadline.ts'],
    ['slow readers', '/slow-readers.ts'],
  ] as const)
    test(`for ${task}`, () => failing(performance as never, 'now', file, task))

  test('for overload, and requests are served meanwhile', () =>
    failing(process as never, 'threadCpuUsage', '/overload.ts', 'overload', async () => {
      assert.equal((await app.api.get('/api/v1/auth/me')).status, 401)
    }))

  test('for a queued write, which is given up', async () => {
    const { run, enqueue } = createRetryQueue({ now: () => 0 })
    let tries = 0
    enqueue({
      until: 1,
      write: () => {
        tries++
        throw new Error('injected')
      },
    })
    let isWritten = false
    enqueue({
      until: 1,
      write: async () => {
        isWritten = true
      },
    })
    await until(() => isWritten)
    assert.equal(tries, 1)
    await assert.rejects(run({ until: 1, write: () => Promise.reject(new Error('injected')) }))
  })

  test('for exceptions, rejections and a failing log', async () => {
    const lines: unknown[] = []
    const log = { error: (line: unknown) => void lines.push(line) }
    guarded(log, 'a', () => {
      throw new Error('injected')
    })()
    guarded(log, 'b', () => Promise.reject(new Error('injected')))()
    await until(() => lines.length === 2)
    const broken = {
      error: () => {
        throw new Error('the log')
      },
    }
    guarded(broken, 'c', () => {
      throw new Error('injected')
    })()
    guarded(broken, 'd', () => Promise.reject(new Error('injected')))()
    await turn() // An exception or rejection that nobody handles would come by now.
  })
})
