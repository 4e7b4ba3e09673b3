import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { createRandom, type Random } from '../support/random.ts'
import { type Engine, newAddress, startTarget, type Target } from './target.ts'

/** How long to wait for an answer before closing the connection, in ms. No answer is not a failure by itself. */
const PATIENCE = 20_000
const WIDTH = 32

/** Input that is known to break parsers. */
const PIECES = [
  '\r\n', '\n', '\r', '\0', ' ', '\t', ':', '%00', '%2e%2e%2f', '%', '%ff', '../', '?', '#', '&', '=', ';', ',', '"', "'", '\\', '{', '}', '[', ']', '\u{1F600}', '\ud7ff', 'é', '\u202e',
  'Content-Length: 99999\r\n', 'Content-Length: -1\r\n', 'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip, chunked\r\n', 'Expect: 100-continue\r\n', 'Expect: x\r\n', 'Connection: upgrade\r\nUpgrade: websocket\r\n', 'Content-Type: text/plain\r\n', 'Content-Encoding: gzip\r\n', 'Host: y\r\n', 'If-Match: "9"\r\n', 'Range: bytes=0-1\r\n', 'X-HTTP-Method-Override: DELETE\r\n', 'Origin: null\r\n', 'Cookie: bukhindor_refresh=x; bukhindor_refresh=y\r\n', 'Idempotency-Key: a\r\n',
  '__proto__', 'constructor', 'null', 'true', '1e999', '-0', '9007199254740993', '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[', `"${'x'.repeat(5000)}"`, 'x'.repeat(20_000),
].map((text) => Buffer.from(text)) // biome-ignore format: a list

function mutate(bytes: Buffer, others: Buffer[], random: Random): Buffer {
  let result = bytes
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(result.length + 1)
    const length = 1 + random.below(Math.min(64, result.length || 1))
    const [head, tail] = [result.subarray(0, at), result.subarray(at)]
    switch (random.below(7)) {
      case 0:
        result = Buffer.concat([head, random.pick(PIECES), tail])
        break
      case 1:
        result = Buffer.concat([head, tail.subarray(length)])
        break
      case 2:
        result = Buffer.concat([head, tail.subarray(0, length), tail])
        break
      case 3: {
        result = Buffer.from(result)
        if (at < result.length) result[at] = random.below(256)
        break
      }
      case 4:
        result = head
        break
      case 5: {
        const other = random.pick(others)
        result = Buffer.concat([head, other.subarray(random.below(other.length))])
        break
      }
      default:
        result = Buffer.concat([head, random.pick(PIECES), tail.subarray(length)])
    }
  }
  return result
}

/** Valid requests to start from. */
async function seeds(target: Target): Promise<Buffer[]> {
  const person = await target.newPerson()
  const admin = await target.administrator()
  const raw = (method: string, path: string, token: string | null, body?: unknown) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const headers = [
      'Host: api.example.org',
      'Connection: close',
      'Accept-Language: ru',
      ...(token ? [`Authorization: Bearer ${token}`] : []),
      ...(text ? ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`] : []),
    ]
    return Buffer.from(`${method} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${text}`)
  }
  const [own, all] = [person.access_token, admin.access_token]
  return [
    raw('GET', '/health/ready', null),
    raw('GET', '/docs/errors?x=1', null),
    raw('GET', '/api/v1/auth/me', own),
    raw('PATCH', '/api/v1/auth/me', own, { name: 'Анна', locale: 'ru' }),
    raw('GET', '/api/v1/auth/sessions', own),
    raw('DELETE', `/api/v1/auth/sessions/${admin.session_id}`, own),
    raw('GET', '/api/v1/users?q=anna&limit=5&sort=-name&is_active=true&created_from=2026-01-01T00:00:00Z', all),
    raw('GET', `/api/v1/users/${person.id}`, all),
    raw('PATCH', `/api/v1/users/${person.id}`, all, { name: 'Anna', email_verified: true }),
    raw('POST', '/api/v1/users', all, { email: 'fuzz@example.org', name: 'Fuzz' }),
    raw('GET', `/api/v1/audit-events?action=login.failed&actor_id=${person.id}&limit=3`, all),
    raw('POST', '/api/v1/auth/refresh', null, { refresh_token: person.refresh_token }),
    raw('POST', '/api/v1/auth/reset-password', null, { email: person.email }),
    raw('POST', '/api/v1/auth/verify-email', null, { token: 'GkE1pYJ0nWbq8sU3vXz5cR7dTfHmLoP2iAyNeKjQuBw' }),
    raw('OPTIONS', '/api/v1/auth/me', null),
    Buffer.from(
      'POST /api/v1/auth/verify-email HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"tok\r\n8\r\nen":"x"}\r\n0\r\n\r\n',
    ),
    Buffer.from(
      'POST /verify-email HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ntoken=x',
    ),
  ]
}

/** Sends bytes and returns the answer until the connection is closed. */
function send(url: string, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.end(bytes))
    socket.setTimeout(PATIENCE, () => socket.destroy())
    socket.setEncoding('latin1').on('data', (text) => {
      if (answer.length < 100_000) answer += text
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

/**
 * Sends randomly corrupted requests over raw sockets: the process stays alive and answers none with a
 * 5xx except 503. The same seed gives the same requests.
 * @returns how the requests were answered
 */
export async function fuzz(engine: Engine, { requests, seed }: { requests: number; seed: number }): Promise<string> {
  const target = await startTarget(engine)
  const { server } = target
  try {
    const good = await seeds(target)
    const tally = new Map<string, number>()
    let next = 0
    const work = async (): Promise<void> => {
      while (next < requests) {
        const n = next++
        const random = createRandom(seed * 1_000_003 + n)
        const bytes = mutate(addressed(random.pick(good)), good, random)
        const answer = await send(server.url, bytes)
        const statuses = [...answer.matchAll(/(?:^|\r\n\r\n|\n)HTTP\/1\.1 (\d{3}) /g)].map(
          ([, status]) => status as string,
        )
        for (const status of statuses.length ? statuses : ['none']) {
          tally.set(status, (tally.get(status) ?? 0) + 1)
          assert.ok(!/^5/.test(status) || status === '503', reproducer(n, bytes, answer))
        }
        if (n % 500 === 499) await target.requireAlive()
      }
    }
    await Promise.all(Array.from({ length: WIDTH }, work))
    await target.requireAlive()
    assert.doesNotMatch(server.output(), /"reason":"internal"|uncaught/i, `seed ${seed}`)
    for (const status of ['200', '400', '401']) assert.ok(tally.has(status), `no request got ${status}`)
    const counts = [...tally].sort().map(([status, count]) => `${status} × ${count}`)
    return `seed ${seed}, ${requests} requests: ${counts.join(', ')}`
  } finally {
    await target.stop()
  }

  function reproducer(n: number, bytes: Buffer, answer: string): string {
    return `seed ${seed}, request ${n}: ${answer.slice(0, 600)}\nprintf ${bytes.toString('base64')} | base64 -d | nc 127.0.0.1 PORT`
  }
}

/** From an address of its own, so that limits by address do not answer instead of the code behind them. */
const addressed = (bytes: Buffer): Buffer =>
  Buffer.from(bytes.toString('latin1').replace('\r\n', `\r\nX-Forwarded-For: ${newAddress()}\r\n`), 'latin1')
