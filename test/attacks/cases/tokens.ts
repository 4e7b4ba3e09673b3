import assert from 'node:assert/strict'
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { parseSecret } from '../../../src/kernel/config/config-error.ts'
import { deriveKeys, ed25519Pair } from '../../../src/kernel/crypto/secrets.ts'
import { SETTINGS } from '../../faults/support/fault.ts'
import type { Attack, Target } from '../target.ts'

type Json = Record<string, unknown>
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part = ''): Json => JSON.parse(Buffer.from(part, 'base64url').toString())

function signed(header: Json, claims: Json, key: KeyObject): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
}

async function requireRefused({ client }: Target, token: string, what: string): Promise<void> {
  const { status, headers, body } = await client.me(token)
  assert.equal(status, 401, `${what}: ${JSON.stringify(body)}`)
  assert.match(headers['www-authenticate'] ?? '', /error="invalid_token"/, what)
}

export const forgedTokens: Attack = {
  name: 'forged-tokens',
  title: 'tokens forged without the key are refused: algorithms, types, embedded and referenced keys',
  quick: true,
  async run(target) {
    const { access_token: real } = await target.newPerson()
    const [head = '', body = '', signature = ''] = real.split('.')
    const [header, claims] = [decode(head), decode(body)]
    const jwks = await target.client.get('/.well-known/jwks.json')
    const pem = createPublicKey({ key: jwks.body.keys[0], format: 'jwk' }).export({ format: 'pem', type: 'spki' })
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const own = publicKey.export({ format: 'jwk' })
    const { kid: _, ...noKid } = header
    const hmac = (key: string | Buffer) => {
      const input = `${encode({ ...header, alg: 'HS256' })}.${body}`
      return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
    }
    const forgeries: Record<string, string> = {
      'no algorithm': `${encode({ ...header, alg: 'none' })}.${body}.`,
      'no algorithm in capitals': `${encode({ ...header, alg: 'NONE' })}.${body}.`,
      'HMAC with the public key': hmac(pem),
      'HMAC with nothing': hmac(''),
      'another key': signed(header, claims, privateKey),
      'a key within': signed({ ...header, jwk: own }, claims, privateKey),
      'a key within, without an id': signed({ ...noKid, jwk: own }, claims, privateKey),
      'a key elsewhere': signed({ ...header, jku: 'https://evil.example/jwks.json' }, claims, privateKey),
      'an id that is a path': signed({ ...header, kid: '../../../../dev/null' }, claims, privateKey),
      'an id that is SQL': signed({ ...header, kid: "' or '1'='1" }, claims, privateKey),
      'another type': `${encode({ ...header, typ: 'JWT' })}.${body}.${signature}`,
      'a critical extension': signed({ ...header, crit: ['b64'], b64: false }, claims, privateKey),
      'another role': `${head}.${encode({ ...claims, role: 'admin' })}.${signature}`,
      'no signature': `${head}.${body}.`,
      'a signature of zeros': `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
      'four parts': `${real}.x`,
      'JSON as it is': JSON.stringify({ payload: claims, signatures: [] }),
      'a very long one': `${head}.${'A'.repeat(10_000)}.${signature}`,
    }
    for (const [what, token] of Object.entries(forgeries)) await requireRefused(target, token, what)
    assert.equal((await target.client.me(real)).status, 200)
  },
}

export const oddClaims: Attack = {
  name: 'odd-claims',
  title: 'a token signed with the right key but with invalid claims is refused without a 5xx',
  quick: true,
  async run(target) {
    const { access_token: real } = await target.newPerson()
    const [head, body] = real.split('.')
    const [header, claims] = [decode(head), decode(body)]
    const [seed] = deriveKeys([parseSecret(SETTINGS.APP_SECRET)]).of('access-token')
    const key: KeyObject = ed25519Pair(seed as Buffer).privateKey
    assert.equal((await target.client.me(signed(header, claims, key))).status, 200)
    const odd: Json[] = [
      { sid: 'x' },
      { sid: '' },
      { sid: '\u0000' },
      { sid: '018f3c5e-7d2a-7c1b-9f00-0123456789ab\u0000' },
      { sid: claims.sid?.toString().toUpperCase() },
      { gen: -1 },
      { gen: Number.MAX_SAFE_INTEGER },
      { gen: 2 ** 31 },
      { gen: 0.5 },
      { gen: '0' },
      { sub: 'x' },
      { sub: '\u0000' },
      { aud: 'another' },
      { iss: 'https://evil.example' },
    ]
    for (const change of odd) {
      const { status, body: answer } = await target.client.me(signed(header, { ...claims, ...change }, key))
      const what = `${JSON.stringify(change)}: ${JSON.stringify(answer)}`
      // The generation matters for later refreshes only, not for calls.
      if ('gen' in change && typeof change.gen === 'number' && Number.isInteger(change.gen))
        assert.ok(status < 500, what)
      else assert.equal(status, 401, what)
    }
  },
}

export const oldTab: Attack = {
  name: 'old-tab',
  title: 'an old tab of the same browser keeps the session; a refresh from elsewhere ends it',
  quick: true,
  env: { REFRESH_GRACE: '1s' },
  async run(target) {
    const browser = {
      'x-forwarded-for': '192.0.2.10',
      'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0',
      'x-app-type': 'web',
    }
    const { email } = await target.newPerson()
    const login = await target.client.login({ email }, { headers: browser })
    const refresh = (refresh_token: string, headers: Record<string, string>) =>
      target.client.refresh(refresh_token, { headers })
    const first: string = login.body.user.refresh_token
    let pair = login.body.user
    for (let n = 0; n < 4; n++) {
      pair = (await refresh(pair.refresh_token, browser)).body.user
      assert.equal(
        (await target.client.send('GET', '/api/v1/auth/me', { token: pair.access_token, headers: browser })).status,
        200,
      )
    }
    await pause(1500) // the grace for parallel calls
    const tab = await refresh(first, browser)
    assert.equal(tab.status, 200, `the old tab: ${JSON.stringify(tab.body)}`)
    assert.equal((await target.client.me(pair.access_token)).status, 200)
    const thief = await refresh(first, { 'x-forwarded-for': '203.0.113.66', 'user-agent': 'curl/8' })
    assert.equal(thief.status, 401)
    assert.equal((await target.client.me(pair.access_token)).status, 401, 'the session of a thief goes on')
  },
}
