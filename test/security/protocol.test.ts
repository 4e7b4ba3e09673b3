import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { useApp } from '../support/app.ts'
import { sendRaw } from '../support/raw.ts'

// What is no HTTP at all is in `test/kernel/http/raw-http.test.ts`; here is what another reader might take for something else.
describe('Raw requests', () => {
  const app = useApp('sqlite')
  const send = (bytes: string) => sendRaw(app.url, Buffer.from(bytes, 'latin1'))
  const statuses = (answer: string) => [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
  const post = (headers: string, body: string) =>
    `POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`
  const hidden = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n'

  const malformed: [string, string][] = [
    ['two lengths that agree', post('Content-Length: 2\r\nContent-Length: 2', `{}${hidden}`)],
    ['a length with a sign', post('Content-Length: +2', `{}${hidden}`)],
    ['a chunk that is longer than it says', post('Transfer-Encoding: chunked', `1\r\n{}\r\n0\r\n\r\n${hidden}`)],
    ['an encoding that only looks like chunked', post('Transfer-Encoding: xchunked', `0\r\n\r\n${hidden}`)],
    ['chunked, but not at last', post('Transfer-Encoding: chunked, identity', `0\r\n\r\n${hidden}`)],
    ['a header over two lines', 'GET /health HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c: d\r\n\r\n'],
    ['a carriage return in a header', 'GET /health HTTP/1.1\r\nHost: a\r\nX-Request-ID: a\rSet-Cookie: b=c\r\n\r\n'],
    ['line feeds alone', 'GET /health HTTP/1.1\nHost: a\n\n'],
    ['a control character in its path', 'GET /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['bytes beyond ASCII in its path', 'GET /\x9b31m HTTP/1.1\r\nHost: a\r\n\r\n'],
  ]
  for (const [name, bytes] of malformed)
    test(`with ${name} get one 400 and the connection is closed`, async () => {
      const answer = await send(bytes)
      assert.deepEqual(statuses(answer), [400], answer)
      assert.match(answer, /"reason":"malformed_request"/)
      assert.match(answer, /^x-content-type-options: nosniff\r$/im)
      assert.doesNotMatch(answer, /set-cookie/i)
    })

  const closing = (line: string, headers = '') => `${line} HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`

  for (const path of [
    '//api/v1/users',
    '/api/v1//users',
    '/api/v1/auth/../users',
    '/api/v1/auth/%2e%2e/users',
    '/api%2fv1%2fusers',
    '/API/v1/users',
    '/api/v1/users;x=1',
    '/api/v1/users%00',
    '/api/v1/users%2500',
    '/api/v1/auth/me%3f',
    '/docs/assets/../../../package.json',
    '/docs/assets/0.1.0/..%2f..%2f..%2fpackage.json',
    '/docs/assets/',
    '/.git/config',
    '/.env',
    '/data/secret.key',
  ])
    test(`for ${path} get 404: paths are decoded once and not normalized`, async () => {
      assert.deepEqual(statuses(await send(closing(`GET ${path}`))), [404])
    })

  test('in absolute form with another host get no other access', async () => {
    assert.deepEqual(statuses(await send(closing('GET http://evil.example/api/v1/users'))), [401])
  })

  test('with TRACE or CONNECT get no echo', async () => {
    const traced = await send(closing('TRACE /health', 'Cookie: secret=1\r\n'))
    assert.deepEqual(statuses(traced), [405])
    assert.doesNotMatch(traced, /secret/)
    assert.equal(await send('CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n'), '')
  })
})
