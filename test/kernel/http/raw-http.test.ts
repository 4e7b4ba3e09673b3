import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { useApp } from '../../support/app.ts'
import { parseRaw, sendRaw } from '../../support/raw.ts'

describe('Malformed HTTP', () => {
  const app = useApp('sqlite', { env: { REQUEST_TIMEOUT: '1s' } })
  const send = async (...parts: (string | Buffer)[]) => {
    const text = await sendRaw(app.url, ...parts)
    const answer = parseRaw(text)
    app.api.check('GET', '/', answer)
    return { ...answer, body: JSON.parse(answer.text) }
  }
  const POST = 'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'

  const malformed: Record<string, string | Buffer> = {
    'random bytes': Buffer.from([0xde, 0xad, 0xbe, 0xef, 0x0a, 0x0a]),
    'a TLS greeting': Buffer.from('16030100c8010000c40303', 'hex'),
    'an unknown method': 'BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n',
    'an unknown version': 'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
    'a header without a colon': 'GET / HTTP/1.1\r\nHost: x\r\nBroken\r\n\r\n',
    'a header with a space before its colon': 'GET / HTTP/1.1\r\nHost: x\r\nBroken : y\r\n\r\n',
    'a null byte in a header': 'GET / HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n',
    'two lengths': `${POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    'a length and chunks': `${POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a length below zero': `${POST}Content-Length: -1\r\n\r\n`,
    'a length that is no number': `${POST}Content-Length: many\r\n\r\n`,
    'a chunk without a size': `${POST}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
    'a path with a line feed': 'GET /a\nb HTTP/1.1\r\nHost: x\r\n\r\n',
  }
  for (const [name, bytes] of Object.entries(malformed))
    test(`with ${name} gets 400 and the connection is closed`, async () => {
      const answer = await send(bytes)
      assert.equal(answer.status, 400)
      assert.equal(answer.body.reason, 'malformed_request')
      assert.equal(answer.headers.get('connection'), 'close')
    })

  test('without Host in HTTP/1.1 gets 400', async () => {
    assert.match(await sendRaw(app.url, 'GET /health HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /)
  })

  test('with headers of more than 16 KiB gets 431', async () => {
    const answer = await send(`GET /health HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(17_000)}\r\n\r\n`)
    assert.deepEqual([answer.status, answer.body.reason], [431, 'headers_too_large'])
  })

  test('with 100,000 small headers gets 431', async () => {
    const answer = await send(`GET /health HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(100_000)}\r\n`)
    assert.deepEqual([answer.status, answer.body.reason], [431, 'headers_too_large'])
  })

  const refused: Record<string, string> = {
    'two Host headers': 'GET /health HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n',
    'two Host headers in other letters': 'GET /health HTTP/1.1\r\nHOST: x\r\nhost: y\r\n\r\n',
    'HTTP/1.0 with Transfer-Encoding':
      'POST /api/v1/auth/login HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    'a coding beside chunked': `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
    'chunked twice': `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  }
  for (const [name, bytes] of Object.entries(refused))
    test(`with ${name} gets 400 and the connection is closed`, async () => {
      const answer = await send(bytes, 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
      assert.deepEqual([answer.status, answer.body.reason], [400, 'malformed_request'])
      assert.equal(answer.headers.get('connection'), 'close')
    })

  test('with an unknown expectation gets 417 and a problem body; 100-continue is supported', async () => {
    const answer = await send('GET /health HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\n\r\n')
    assert.deepEqual([answer.status, answer.body.reason], [417, 'expectation_failed'])
    const met = await sendRaw(
      app.url,
      `${POST}Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
    )
    assert.match(met, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 /)
  })

  describe('is readable for a page of another origin', () => {
    const ORIGIN = 'Origin: http://localhost:3000\r\n'
    const BIG = `X-Big: ${'x'.repeat(17_000)}\r\n`
    const allowed = ({ headers }: { headers: Headers }) => headers.get('access-control-allow-origin')

    test('when its headers are too large, wherever Origin is among them', async () => {
      for (const headers of [ORIGIN + BIG, BIG + ORIGIN]) {
        const answer = await send(`GET /health HTTP/1.1\r\nHost: x\r\n${headers}\r\n`)
        assert.deepEqual([answer.status, allowed(answer)], [431, 'http://localhost:3000'])
        assert.equal(answer.headers.get('access-control-allow-credentials'), 'true')
      }
    })

    test('when its body is too slow', async () => {
      const answer = await send(`${POST}${ORIGIN}Content-Length: 100\r\n\r\n{`)
      assert.deepEqual([answer.status, allowed(answer)], [408, 'http://localhost:3000'])
    })

    test('when its origin is unknown, but not when it is not allowed', async () => {
      assert.equal(allowed(await send('GET / HTTP/9.9\r\nHost: x\r\n\r\n')), '*')
      assert.equal(allowed(await send(`GET / HTTP/9.9\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n`)), null)
    })
  })

  const slow: Record<string, string> = {
    'a request line that never ends': 'GET /health',
    'headers that never end': 'GET /health HTTP/1.1\r\nHost: x\r\n',
    'a body that never comes': `${POST}Content-Length: 100\r\n\r\n{`,
    'chunks that never end': `${POST}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
  }
  // Together, since each waits for its time-out.
  test('from a slow client gets 408, whatever part is slow, while others are served', async () => {
    const cut = Object.entries(slow).map(async ([name, bytes]) => {
      const answer = await send(bytes)
      assert.deepEqual([answer.status, answer.body.reason, answer.body.action], [408, 'request_timeout', 'retry'], name)
    })
    assert.equal((await app.api.get('/health')).status, 200)
    await Promise.all(cut)
  })

  test('without its body gets one answer', async () => {
    const body = '\r\nContent-Length: 100\r\n\r\n{'
    const text = await sendRaw(
      app.url,
      `POST /api/v1/auth/logout HTTP/1.1\r\nHost: x\r\nContent-Type: application/json${body}`,
    )
    assert.deepEqual(text.match(/HTTP\/1.1 \d+/g), ['HTTP/1.1 401'])
  })

  test('is logged with the request id of its answer', async () => {
    const { body } = await send('GET / HTTP/9.9\r\n\r\n')
    const line = app.logs.find(({ request_id }) => request_id === body.request_id)
    assert.deepEqual([line?.status, line?.reason, line?.ip], [400, 'malformed_request', '127.0.0.1'])
  })

  test('from a client that disconnects in the middle does not affect the service', async () => {
    const { port } = new URL(app.url)
    for (let i = 0; i < 20; i++) {
      const socket = connect(Number(port), '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`${POST}Content-Length: 100\r\n\r\n{`)
      socket.resetAndDestroy()
    }
    assert.equal((await app.api.get('/health')).status, 200)
  })
})
