import assert from 'node:assert/strict'
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { deriveKeys, ed25519Pair } from '../../../src/kernel/crypto/secrets.ts'
import { MINUTE, SECOND } from '../../../src/kernel/lib/clock.ts'
import { describeOnEachEngine, register, signIn, startApp, useApp } from '../../support/app.ts'

type Json = Record<string, unknown>

const encode = (value: Json): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString())
const parts = (token: string) => token.split('.') as [string, string, string]

/** A JWT with an Ed25519 signature over whatever it says. */
function signed(header: Json, claims: Json, key: KeyObject): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
}

describeOnEachEngine('An access token', (engine) => {
  const app = useApp(engine)
  const someone = async (): Promise<string> => (await signIn(app.api, await register(app.api))).access_token
  /** The key that the service itself signs with: these forgeries could only come from a fault of ours. */
  const ownKey = (): KeyObject =>
    ed25519Pair(deriveKeys(app.config.appSecret as Buffer[]).of('access-token')[0] as Buffer).privateKey

  async function refused(token: string): Promise<void> {
    const answer = await app.api.me(token)
    assert.equal(answer.status, 401, JSON.stringify(answer.body))
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/)
    assert.equal(answer.body.action, 'refresh')
  }

  test('is a JWT that other services can verify with the published keys', async () => {
    const user = await signIn(app.api, await register(app.api))
    const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', app.url))
    const { payload, protectedHeader } = await jwtVerify(user.access_token, keys, {
      algorithms: ['EdDSA'],
      typ: 'at+jwt',
      issuer: 'https://api.example.org',
      audience: 'bukhindor',
    })
    assert.deepEqual(Object.keys(payload).sort(), ['aud', 'exp', 'gen', 'iat', 'iss', 'jti', 'role', 'sid', 'sub'])
    assert.deepEqual([payload.sub, payload.sid, payload.gen, payload.role], [user.id, user.session_id, 0, 'user'])
    assert.equal((payload.exp as number) - (payload.iat as number), 900)
    assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ'])
  })

  test('is signed by a key of which only the public part is published', async () => {
    const { keys } = (await app.api.get('/.well-known/jwks.json')).body
    assert.equal(keys.length, 1)
    assert.ok(!('d' in keys[0]))
  })

  test('expires after 15 minutes with the action refresh', async () => {
    const token = await someone()
    app.clock.advance(15 * MINUTE - 5 * SECOND)
    assert.equal((await app.api.me(token)).status, 200)
    app.clock.advance(6 * SECOND)
    for (let i = 0; i < 2; i++) {
      const answer = await app.api.me(token)
      assert.equal(answer.body.reason, 'token_expired')
      assert.equal(answer.body.action, 'refresh')
      assert.match(answer.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
    }
  })

  test('is refused after its expiry even when it was not used before', async () => {
    const token = await someone()
    app.clock.advance(16 * MINUTE)
    assert.equal((await app.api.me(token)).body.reason, 'token_expired')
  })

  test('is not accepted any longer because it was used before', async () => {
    const token = await someone()
    assert.equal((await app.api.me(token)).status, 200)
    for (const forged of [`${token}A`, token.slice(0, -1), `${token.slice(0, -1)}!`]) await refused(forged)
  })

  const headers: Record<string, (header: Json) => Json> = {
    'alg none': (header) => ({ ...header, alg: 'none' }),
    'alg Ed448': (header) => ({ ...header, alg: 'Ed448' }),
    'no alg': ({ alg, ...header }) => header,
    'the typ of a common JWT': (header) => ({ ...header, typ: 'JWT' }),
    'no typ': ({ typ, ...header }) => header,
    'an unknown kid': (header) => ({ ...header, kid: 'unknown' }),
    'no kid': ({ kid, ...header }) => header,
    'a kid that is a path': (header) => ({ ...header, kid: '../../../../dev/null' }),
    'a kid that is no text': (header) => ({ ...header, kid: { $ne: null } }),
    'a critical extension': (header) => ({ ...header, crit: ['b64'], b64: false }),
    'an unknown critical extension': (header) => ({ ...header, crit: ['x'], x: 1 }),
  }
  for (const [name, change] of Object.entries(headers))
    test(`with ${name} in its header is refused despite a valid signature`, async () => {
      const [header, claims] = parts(await someone())
      await refused(signed(change(decode(header)), decode(claims), ownKey()))
    })

  test('that embeds its own key is refused, whatever the header', async () => {
    const [header, claims] = parts(await someone())
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const jwk = publicKey.export({ format: 'jwk' })
    for (const lure of [{ jwk }, { jku: `${app.url}/evil.json` }, { x5u: `${app.url}/evil.pem` }, { x5c: ['MIIB'] }]) {
      const { kid, ...unnamed } = decode(header)
      await refused(signed({ ...unnamed, kid, ...lure }, decode(claims), privateKey))
      await refused(signed({ ...unnamed, ...lure }, decode(claims), privateKey))
    }
  })

  test('signed by HMAC with the public key as the secret is refused', async () => {
    const [header, claims] = parts(await someone())
    const [jwk] = (await app.api.get('/.well-known/jwks.json')).body.keys
    const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' })
    for (const secret of [pem, Buffer.from(jwk.x, 'base64url'), jwk.x]) {
      const input = `${encode({ ...decode(header), alg: 'HS256' })}.${claims}`
      await refused(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`)
    }
  })

  const claims: Record<string, (claims: Json) => Json> = {
    'another issuer': (claims) => ({ ...claims, iss: 'https://evil.example' }),
    'no issuer': ({ iss, ...claims }) => claims,
    'another audience': (claims) => ({ ...claims, aud: 'another' }),
    'no audience': ({ aud, ...claims }) => claims,
    'no expiry': ({ exp, ...claims }) => claims,
    'an expiry that is text': (claims) => ({ ...claims, exp: '9999999999' }),
    'a time of issue an hour ahead': (claims) => ({ ...claims, iat: (claims.iat as number) + 3600 }),
    'no time of issue': ({ iat, ...claims }) => claims,
    'a not-before an hour ahead': (claims) => ({ ...claims, nbf: (claims.iat as number) + 3600 }),
    'no subject': ({ sub, ...claims }) => claims,
    'another subject': (claims) => ({ ...claims, sub: '018f3c5e-7d2a-7c1b-9f00-0123456789ab' }),
    'a subject that is no text': (claims) => ({ ...claims, sub: 1 }),
    'no session': ({ sid, ...claims }) => claims,
    'a session that is an object': (claims) => ({ ...claims, sid: { $gt: '' } }),
    'no generation': ({ gen, ...claims }) => claims,
    'a generation that is text': (claims) => ({ ...claims, gen: '0' }),
    'a generation below zero': (claims) => ({ ...claims, gen: -1 }),
    'a generation that no column holds': (claims) => ({ ...claims, gen: 2 ** 31 - 1 }),
    'a generation of 2^53 - 1': (claims) => ({ ...claims, gen: Number.MAX_SAFE_INTEGER }),
    'a generation that is a fraction': (claims) => ({ ...claims, gen: 0.5 }),
    'a session that is no UUID': (claims) => ({ ...claims, sid: 'session' }),
    'a session with a NUL': (claims) => ({ ...claims, sid: '018f3c5e-7d2a-7c1b-9f00-0123456789a\0' }),
    'a session in capitals': (claims) => ({ ...claims, sid: String(claims.sid).toUpperCase() }),
    'an empty session': (claims) => ({ ...claims, sid: '' }),
    'a subject that is no UUID': (claims) => ({ ...claims, sub: 'subject' }),
    'no id': ({ jti, ...claims }) => claims,
  }
  for (const [name, change] of Object.entries(claims))
    test(`with ${name} is refused despite a valid signature`, async () => {
      const [header, payload] = parts(await someone())
      await refused(signed(decode(header), change(decode(payload)), ownKey()))
    })

  test('of an unknown session, or one that is not a UUID, is refused', async () => {
    const [header, payload] = parts(await someone())
    for (const sid of ['018f3c5e-7d2a-7c1b-9f00-0123456789ab', "' or 1=1 --", '']) {
      const answer = await app.api.me(signed(decode(header), { ...decode(payload), sid }, ownKey()))
      assert.equal(answer.status, 401, sid)
    }
  })

  const spoilt: Record<string, (token: string) => string> = {
    'its last character changed': (token) => token.slice(0, -1) + (token.endsWith('A') ? 'Q' : 'A'),
    'its last character changed to one that decodes alike': (token) => {
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      return token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1) as string) ^ 1]
    },
    'a character of its claims changed': (token) => token.replace(/\.(...)./, '.$1_'),
    'its signature cut off': (token) => token.replace(/[^.]+$/, ''),
    'an empty header': (token) => token.replace(/^[^.]+/, ''),
    padding: (token) => `${token}=`,
    'a fourth part': (token) => `${token}.AAAA`,
    'five parts': (token) => `${token}.AAAA.AAAA`,
    'two parts': (token) => token.replace(/\.[^.]+$/, ''),
    'no dots': (token) => token.replaceAll('.', ''),
    '10 KB': (token) => token.replace('.', `${'A'.repeat(10_000)}.`),
    'characters outside of base64url': (token) => token.replace('.', '+/.'),
    'a percent sign': (token) => `${token}%00`,
    'a header that is no JSON': (token) => token.replace(/^[^.]+/, 'AAAA'),
    'a header that is an array': (token) => token.replace(/^[^.]+/, Buffer.from('[]').toString('base64url')),
    'claims that are null': (token) => token.replace(/\.[^.]+\./, `.${Buffer.from('null').toString('base64url')}.`),
  }
  for (const [name, spoil] of Object.entries(spoilt))
    test(`with ${name} is refused`, async () => refused(spoil(await someone())))

  test('is read from the Authorization header (RFC 6750) only', async () => {
    const token = await someone()
    const get = (headers: Record<string, string>, query = '') => app.api.get(`/api/v1/auth/me${query}`, { headers })
    assert.equal((await get({ authorization: `bearer ${token}` })).status, 200)
    for (const authorization of ['', 'Bearer', 'Bearer ', `Basic ${token}`, token, `Token ${token}`])
      assert.equal((await get({ authorization })).body.reason, 'token_missing', authorization)
    assert.equal((await get({}, `?access_token=${token}`)).status, 401)
    assert.equal((await get({ authorization: `Bearer ${token} ${token}` })).status, 401)
    assert.equal((await get({ authorization: `Bearer ${token}, Bearer ${token}` })).status, 401)
  })
})

describe('A rotation of the signing secret', () => {
  const [old, young] = [randomBytes(32), randomBytes(32)].map((bytes) => bytes.toString('base64url'))
  const apps: { close(): Promise<void> }[] = []
  after(async () => {
    for (const app of apps.reverse()) await app.close()
  })

  test('keeps tokens valid while the old secret is in the list, and not after', async () => {
    const start = async (APP_SECRET: string, DATABASE_URL?: string) => {
      const app = await startApp('sqlite', { env: { APP_SECRET, ...(DATABASE_URL && { DATABASE_URL }) } })
      apps.push(app)
      return app
    }
    const before = await start(`${old}`)
    const person = await register(before.api)
    const user = await signIn(before.api, person)
    const file = before.config.database.engine === 'sqlite' ? `sqlite:${before.config.database.file}` : ''

    const during = await start(`${young},${old}`, file)
    assert.equal((await during.api.get('/.well-known/jwks.json')).body.keys.length, 2)
    assert.equal((await during.api.me(user.access_token)).status, 200)
    const refreshed = await during.api.refresh(user.refresh_token)
    assert.equal(refreshed.status, 200)
    // An instance that has not got the new list yet knows nothing of the new key.
    assert.equal((await before.api.me(refreshed.body.user.access_token)).status, 401)

    const afterwards = await start(`${young}`, file)
    const old_ = await afterwards.api.me(user.access_token)
    assert.equal(old_.body.reason, 'token_invalid')
    const { access_token, refresh_token } = refreshed.body.user
    assert.equal((await afterwards.api.me(access_token)).status, 200)
    assert.equal((await afterwards.api.refresh(refresh_token)).status, 200)
  })
})
