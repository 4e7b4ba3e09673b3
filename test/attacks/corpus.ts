import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Engine, newAddress, startTarget, type Target } from './target.ts'

const SAMPLES = fileURLToPath(import.meta.resolve('./corpora'))
const NEVER = new Set([500, 501, 502, 504])

/** A corpus in a folder; the kind of each file is detected from its content. */
interface Corpora {
  /** JSONTestSuite: by name, `y_` must parse, `n_` must not, `i_` may do either. */
  json: [name: string, bytes: Buffer][]
  /** Big list of naughty strings, and lists of injections, a line each. */
  strings: string[]
  /** Wycheproof. */
  vectors: Vectors[]
}
interface Vectors {
  testGroups: {
    publicKeyPem?: string
    public?: object
    tests: { tcId: number; result: string; jws?: string; msg?: string; sig?: string }[]
  }[]
}

/**
 * Sends public corpora to a server: nothing in them may crash it, get a 5xx, or be accepted wrongly.
 * @param folder the folder of the corpora; by default the small samples beside this file
 * @returns how much was sent
 */
export async function runCorpora(engine: Engine, folder: string = SAMPLES): Promise<string> {
  const { json, strings, vectors } = readCorpora(folder)
  const target = await startTarget(engine)
  try {
    await sendJson(target, json)
    await sendStrings(target, strings)
    const tokens = await sendVectors(target, vectors)
    await target.requireAlive()
    assert.doesNotMatch(target.server.output(), /"reason":"internal"/)
    return `${json.length} JSON texts, ${strings.length} strings, ${tokens} signatures`
  } finally {
    await target.stop()
  }
}

function readCorpora(folder: string): Corpora {
  const corpora: Corpora = { json: [], strings: [], vectors: [] }
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(folder, name)
    if (!statSync(file).isFile()) continue
    const bytes = readFileSync(file)
    if (/^[yni]_.*\.json$/.test(basename(name))) corpora.json.push([name, bytes])
    else if (name.endsWith('.txt')) corpora.strings.push(...bytes.toString('utf8').split('\n').filter(Boolean))
    else if (name.endsWith('.json')) {
      const value = JSON.parse(bytes.toString('utf8'))
      if (Array.isArray(value)) corpora.strings.push(...value.filter((item) => typeof item === 'string'))
      else if (Array.isArray(value.testGroups)) corpora.vectors.push(value)
      else
        for (const [key, text] of Object.entries(value))
          if (/^[yni]_/.test(key)) corpora.json.push([key, Buffer.from(String(text))])
    }
  }
  return corpora
}

async function inParallel<T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items]
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item)
    }),
  )
}

function sendJson({ server }: Target, texts: Corpora['json']): Promise<void> {
  return inParallel(texts, async ([name, bytes]) => {
    const answer = await fetch(`${server.url}/api/v1/auth/reset-password`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': newAddress() },
      body: new Uint8Array(bytes),
    })
    const { reason } = (await answer.json()) as { reason?: string }
    const what = `${name}: ${answer.status} ${reason}`
    // An empty body is none, which the published app sends; what is too large is not read.
    const isParsed = reason === 'validation_failed'
    if (basename(name).startsWith('n_')) assert.ok(!isParsed || bytes.length === 0, what)
    if (basename(name).startsWith('y_')) assert.ok(isParsed, what)
    assert.ok(answer.status >= 400 && answer.status < 500, what)
  })
}

/** Sends each text in every place that accepts text. */
async function sendStrings(target: Target, texts: string[]): Promise<void> {
  const { client } = target
  const person = await target.newPerson()
  const admin = await target.administrator()
  const [token, adminToken] = [person.access_token, admin.access_token]
  await inParallel(texts, async (text) => {
    const header = text.replace(/[^\x20-\x7e]/g, '?').slice(0, 4000)
    const encoded = encodeURIComponent(text.toWellFormed())
    const login = { email: text, password: text }
    const answers = await Promise.all([
      client.send('PATCH', '/api/v1/auth/me', { token, body: { name: text } }),
      client.get(`/api/v1/users?q=${encoded}`, { token: adminToken }),
      client.get(`/api/v1/users?cursor=${encoded}&sort=${encoded}`, { token: adminToken }),
      client.get(`/api/v1/users/${encoded}`, { token: adminToken }),
      client.get(`/${encoded}`),
      client.get('/api/v1/auth/me', { token: header }),
      client.post('/api/v1/auth/reset-password', { body: { email: text } }),
      client.post('/api/v1/auth/verify-email', { body: { token: text } }),
      client.post('/api/v1/auth/verify-email', { body: { [text]: text } }),
      client.post('/api/v1/auth/login', {
        body: texts.length > 1000 ? { email: text } : login,
        headers: { 'user-agent': header, 'x-device-id': header, 'x-app-version': header, 'accept-language': header },
      }),
      client.post('/api/v1/auth/logout', { headers: { 'idempotency-key': header, authorization: header } }),
    ])
    for (const [place, { status, body }] of answers.entries()) {
      assert.ok(status > 0 && !NEVER.has(status), `${JSON.stringify(text)} at place ${place}: ${status}`)
      assert.doesNotMatch(JSON.stringify(body), /SQLITE_|syntax error|\bat .+\.ts:\d+/, `${text} at place ${place}`)
    }
  })
  assert.equal((await client.me(token)).status, 200)
}

/** Sends every signature as a bearer token; those of Ed25519 are also checked with Node's own `verify`. */
async function sendVectors({ client }: Target, corpora: Vectors[]): Promise<number> {
  const tests = corpora.flatMap(({ testGroups }) =>
    testGroups.flatMap((group) => group.tests.map((test) => ({ group, test }))),
  )
  await inParallel(tests, async ({ group, test: { tcId, result, jws, msg = '', sig = '' } }) => {
    const claims = Buffer.from(msg, 'hex').toString('base64url') || 'e30'
    const token =
      jws ?? `eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.${claims}.${Buffer.from(sig, 'hex').toString('base64url')}`
    const { status } = await client.me(token.replace(/[^\x20-\x7e]/g, '?').slice(0, 8000) || 'x')
    assert.equal(status, 401, `vector ${tcId}`)
    if (!group.publicKeyPem?.includes('MCowBQYDK2Vw')) return // RFC 8410: an Ed25519 key
    const isValid = verify(null, Buffer.from(msg, 'hex'), createPublicKey(group.publicKeyPem), Buffer.from(sig, 'hex'))
    assert.equal(isValid, result !== 'invalid', `vector ${tcId}`)
  })
  return tests.length
}
