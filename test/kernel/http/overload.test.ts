import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ServerProcess, startServer } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

/**
 * So many requests on each of so many connections lie ready in the sockets at once: a turn of the event loop finds more
 * work than it may do on any machine, for what counts is the time of the server's thread on a core.
 */
const CONNECTIONS = 12
const PIPELINED = 600
const HEALTH_EVERY = 100

const get = (path: string, last = false) =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${last ? 'Connection: close\r\n' : ''}\r\n`
const isHealth = (n: number) => n % HEALTH_EVERY === 0

interface Answer {
  status: string
  head: string
  body: string
}

/** Sends all requests of a connection at once, and gives their answers in order. */
function flood(url: string, pipelined = PIPELINED, begun = () => {}): Promise<Answer[]> {
  const requests = Array.from({ length: pipelined }, (_, n) =>
    get(isHealth(n) ? '/health/live' : '/api/v1/auth/me', n === pipelined - 1),
  )
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(requests.join('')))
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
      begun()
    })
    socket.on('error', reject)
    socket.on('close', () =>
      resolve(
        text
          .split(/(?=HTTP\/1\.1 \d{3} )/)
          .filter(Boolean)
          .map((answer) => {
            const end = answer.indexOf('\r\n\r\n')
            return { status: answer.slice(9, 12), head: answer.slice(0, end), body: answer.slice(end + 4) }
          }),
      ),
    )
  })
}

describe('A flood of requests', () => {
  let folder: string
  let server: ServerProcess
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bukhindor-overload-'))
    server = await startServer({
      DATA_DIR: folder,
      LOG_FORMAT: 'json',
      REQUEST_TIMEOUT: '60s',
      TRUST_PROXY: '127.0.0.1',
    })
  })
  after(async () => {
    await server?.stop('SIGINT')
    await rm(folder, { recursive: true, force: true })
  })

  test('is partly served and partly refused; health checks are answered, and afterwards all requests are', async () => {
    const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => flood(server.url)))
    const counts = { health: 0, served: 0, refused: 0 }
    for (const answers of connections) {
      assert.equal(answers.length, PIPELINED)
      for (const [n, { status, head, body }] of answers.entries())
        if (isHealth(n)) {
          assert.equal(status, '200')
          counts.health++
        } else if (status === '503') {
          assert.match(head, /^retry-after: 1$/im)
          assert.equal(JSON.parse(body).reason, 'overloaded')
          counts.refused++
        } else {
          assert.equal(status, '401')
          counts.served++
        }
    }
    assert.equal(counts.health, (CONNECTIONS * PIPELINED) / HEALTH_EVERY)
    assert.ok(counts.refused > 20 && counts.served > 20, JSON.stringify(counts))
    for (let n = 0; n < 20; n++) assert.equal((await fetch(`${server.url}/api/v1/auth/me`)).status, 401)

    // One log line a second counts the refused requests, and none of them has a line of its own.
    const lines = () =>
      server
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
    const told = () =>
      lines().reduce((sum, { msg, refused }) => sum + (msg === 'overloaded: requests refused' ? refused : 0), 0)
    await until(() => told() >= counts.refused, { interval: 50, details: () => `${told()} of ${counts.refused}` })
    assert.equal(told(), counts.refused)
    assert.equal(lines().filter(({ reason }) => reason === 'overloaded').length, 0)
  })

  test('from one address does not refuse the request of another one on a new connection', async () => {
    for (let round = 0; round < 3; round++) {
      let begun = () => {}
      const isAnswered = new Promise<void>((resolve) => {
        begun = resolve
      })
      let ended = 0
      const floods = Array.from({ length: 20 }, () => flood(server.url, 3000, begun).then(() => ended++))
      await isAnswered
      const { status } = await fetch(`${server.url}/api/v1/auth/me`, { headers: { 'x-forwarded-for': '192.0.2.1' } })
      assert.equal(status, 401)
      assert.ok(ended < floods.length, 'the flood was over')
      await Promise.all(floods)
    }
  })

  const skip = process.platform === 'linux' ? false : 'reads /proc'
  test('of pipelined requests is read only as fast as it is answered', { skip }, async () => {
    const memory = () => Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024
    const before = memory()
    const connections = await Promise.all(Array.from({ length: 20 }, () => flood(server.url, 6000)))
    assert.equal(connections.flat().length, 120_000)
    const grown = Math.round(memory() - before)
    assert.ok(grown < 480, `${grown} MiB for 120,000 requests`)
  })
})
