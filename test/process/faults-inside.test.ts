import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createRetryQueue } from '../../src/kernel/db/retry-queue.ts'
import { guarded } from '../../src/kernel/lib/guarded.ts'
import { createClient } from '../faults/support/client.ts'
import { startApp, type TestApp } from '../support/app.ts'
import { type ServerProcess, startServer } from '../support/processes.ts'

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

const until = async (holds: () => unknown) => {
  while (!holds()) await pause(20)
}

describe('An error that nobody has caught', () => {
  let folder = ''
  let server: ServerProcess
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bukhindor-fatal-'))
  })
  afterEach(async () => {
    await server.stop('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  test('is logged; nothing new is accepted, what is under way is finished, and the process ends with 1', async () => {
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', ...INJECTION })
    const socket = await begin(server.url)
    const ended = server.stop('SIGUSR2')
    await until(() => server.output().includes('"msg":"uncaughtException"'))
    let isAccepting = true
    while (isAccepting)
      isAccepting = await fetch(`${server.url}/health`).then(
        (response) => response.ok,
        () => false,
      )
    socket.write(BODY)
    assert.match(await text(socket), /^HTTP\/1\.1 201 /)
    assert.equal(await ended, 1)
    assert.match(server.output(), /"level":"fatal".*"message":"injected"/)
  })

  test('and one more of its kind cut off nothing that is under way', async () => {
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

  test('does not wait for ever for what is under way', async () => {
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', ...INJECTION })
    const socket = await begin(server.url)
    assert.equal(await server.stop('SIGUSR2'), 1)
    socket.destroy()
  })

  test('in a worker ends that one in order, and the others serve meanwhile', async () => {
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', WORKERS: '2', ...INJECTION })
    await until(() => server.output().includes('"msg":"listening"'))
    const workers = () =>
      execFileSync('ps', ['-o', 'pid=', '--ppid', String(server.pid)], { encoding: 'utf8' })
        .trim()
        .split(/\s+/)
        .map(Number)
    const [first] = workers()
    process.kill(first as number, 'SIGUSR2')
    await until(() => server.output().includes('"msg":"a worker died"'))
    assert.match(server.output(), /"msg":"a worker died"/)
    assert.match(server.output(), /"status":1/)
    const client = createClient(server.url, { keepAlive: false }) // None of the connections that went with the worker.
    for (let n = 0; n < 10; n++) assert.equal((await client.get('/health')).status, 200)
    await until(() => workers().length === 2 && !workers().includes(first as number))
    assert.equal(await server.stop('SIGTERM'), 0)
  })
})

describe('A fault in a timer of ours is logged, and the service goes on', () => {
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
  async function failing<K extends string>(object: Record<K, unknown>, name: K, file: string, task: string) {
    const original = object[name] as (...args: unknown[]) => unknown
    object[name] = (...args: unknown[]) => {
      if (new Error().stack?.includes(file)) throw new Error('injected')
      return original.apply(object, args)
    }
    try {
      await until(() => told(task))
    } finally {
      object[name] = original
    }
    assert.equal((await app.api.get('/health')).status, 200)
  }

  for (const [task, file] of [
    ['overload', '/overload.ts'],
    ['deadlines', '/deadline.ts'],
    ['slow readers', '/slow-readers.ts'],
  ] as const)
    test(`of ${task}`, () => failing(performance as never, 'now', file, task))

  test('of a write that is retried later, which is given up', async () => {
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

  test('by the one way that all of them share: exceptions, rejections, and a log that fails as well', async () => {
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
    await pause(10)
  })
})
