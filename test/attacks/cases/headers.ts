import assert from 'node:assert/strict'
import { requireStatus } from '../../support/auth-calls.ts'
import { newKey } from '../../support/idempotency.ts'
import { sendRaw } from '../../support/raw.ts'
import { type Attack, newAddress, PASSWORD } from '../target.ts'

const POST = 'POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
const BODY = '{"email":"a@example.org","password":"x"}'
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`

/** Requests that two parsers could understand differently, as in request smuggling. */
const AMBIGUOUS: Record<string, string> = {
  'two Host headers': `${POST}Host: y\r\nConnection: close\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  'chunks in HTTP/1.0': `${POST.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
  'gzip before chunked': `${POST}Connection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${CHUNKED}`,
  'a length and chunks': `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
  'chunks twice': `${POST}Connection: close\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`,
  'a folded header': `${POST}Content-Length: 2\r\nX-A: b\r\n c\r\n\r\n{}`,
  'a bare line feed': `${POST.replaceAll('\r\n', '\n')}Content-Length: 2\n\n{}`,
}

export const ambiguousRequests: Attack = {
  name: 'ambiguous-requests',
  title: 'an ambiguous request gets 400 and its connection is closed',
  quick: true,
  engine: 'sqlite',
  async run({ server }) {
    for (const [name, bytes] of Object.entries(AMBIGUOUS)) {
      const answer = await sendRaw(server.url, bytes)
      assert.match(answer, /^HTTP\/1\.1 (400|501) /, name)
      assert.equal(answer.match(/HTTP\/1\.1 \d{3}/g)?.length, 1, `${name}: two answers`)
    }
  },
}

export const oddHeaders: Attack = {
  name: 'odd-headers',
  title: 'unusual headers get a problem document that does not echo them',
  quick: true,
  async run({ server }) {
    const odd: Record<string, string> = {
      'an expectation': `${POST}Expect: 200-ok\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`,
      'a long path': `GET /api/v1/users/${'lure'.repeat(100)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    }
    for (const [name, bytes] of Object.entries(odd)) {
      const answer = await sendRaw(server.url, bytes)
      assert.match(answer, /^HTTP\/1\.1 4\d\d /, name)
      assert.match(answer, /application\/problem\+json/, name)
      assert.doesNotMatch(answer, /lure/, name)
    }
  },
}

export const forwardedPorts: Attack = {
  name: 'forwarded-ports',
  title: 'a forwarded address with a port counts as one address, whatever the port',
  quick: true,
  async run({ client }) {
    const ip = newAddress()
    const statuses = []
    for (let n = 0; n < 40; n++) {
      const headers = { 'x-forwarded-for': `${ip}:${40_000 + n}` }
      const body = { email: `port-${n}-${ip}@example.org` }
      statuses.push((await client.post('/api/v1/auth/reset-password', { body, headers })).status)
    }
    assert.ok(statuses.includes(429), 'no limit by address was met in 40 requests')
  },
}

export const tracingPreflight: Attack = {
  name: 'tracing-preflight',
  title: 'tracing headers pass the CORS preflight',
  quick: true,
  engine: 'sqlite',
  env: { CORS_ALLOWED_ORIGINS: 'https://app.example.org' },
  async run({ server }) {
    const answer = await fetch(`${server.url}/api/v1/auth/me`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example.org',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,traceparent',
      },
    })
    const allowed = (answer.headers.get('access-control-allow-headers') ?? '').toLowerCase()
    for (const name of ['traceparent', 'tracestate', 'baggage', 'sentry-trace', 'x-requested-with', 'cache-control'])
      assert.ok(allowed.includes(name), name)
  },
}

export const logoutClears: Attack = {
  name: 'logout-clears',
  title: 'a logout sends no Clear-Site-Data and leaves the data of other apps alone',
  quick: true,
  async run(target) {
    const { access_token: token } = await target.newPerson()
    const { status, headers } = await target.client.post('/api/v1/auth/logout', { token })
    assert.equal(status, 200)
    assert.equal(headers['clear-site-data'], undefined)
  },
}

export const repeatedLogout: Attack = {
  name: 'repeated-logout',
  title: 'a logout repeated with its idempotency key gets the first answer',
  quick: true,
  async run(target) {
    const { access_token: token } = await target.newPerson()
    const request = { token, headers: newKey() }
    const first = await target.client.post('/api/v1/auth/logout', request)
    const second = await target.client.post('/api/v1/auth/logout', request)
    assert.deepEqual([second.status, second.body], [200, first.body])
  },
}

export const replayedSignIn: Attack = {
  name: 'replayed-sign-in',
  title: 'a sign-in is not replayed by its idempotency key after a password change',
  quick: true,
  async run(target) {
    const person = await target.newPerson()
    const headers = newKey()
    const login = () => target.client.login({ email: person.email }, { headers })
    requireStatus(200, await login())
    const changed = await target.client.post('/api/v1/auth/change-password', {
      token: person.access_token,
      body: { current_password: PASSWORD, new_password: 'another walk along the river' },
    })
    assert.equal(changed.status, 200)
    assert.equal((await login()).body.reason, 'invalid_credentials')
  },
}
