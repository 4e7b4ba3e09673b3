import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ServerProcess, startServer } from '../../support/processes.ts'

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
function flood(url: string): Promise<Answer[]> {
  const requests = Array.from({ length: PIPELINED }, (_, n) =>
    get(isHealth(n) ? '/health/live' : '/api/v1/auth/me', n === PIPELINED - 1),
  )
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(requests.join('')))
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
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

describe('more requests at once than can be answered', () => {
  let folder: string
  let server: ServerProcess
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bukhindor-overload-'))
    server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json', REQUEST_TIMEOUT: '60s' })
  })
  after(async () => {
    await server?.stop('SIGINT')
    await rm(folder, { recursive: true, force: true })
  })

  test('are refused beyond what a turn of the event loop can do; health checks are answered, and then all is well', async () => {
    const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => flood(server.url)))
    let refused = 0
    for (const answers of connections) {
      assert.equal(answers.length, PIPELINED)
      for (const [n, { status, head, body }] of answers.entries()) {
        if (isHealth(n)) assert.equal(status, '200')
        else assert.ok(status === '401' || status === '503', status)
        if (status !== '503') continue
        refused++
        assert.match(head, /^retry-after: 1$/im)
        assert.equal(JSON.parse(body).reason, 'overloaded')
      }
    }
    assert.ok(refused > 20, `${refused} of ${CONNECTIONS * PIPELINED} were refused`)
    assert.equal((await fetch(`${server.url}/openapi.json`)).status, 200)

    // A line a second tells how many, and none tells of each.
    const lines = () =>
      server
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
    const told = () =>
      lines().reduce((sum, { msg, refused: count }) => sum + (msg === 'overloaded: requests refused' ? count : 0), 0)
    while (told() < refused) await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(told(), refused)
    assert.equal(lines().filter(({ reason }) => reason === 'overloaded').length, 0)
  })
})
