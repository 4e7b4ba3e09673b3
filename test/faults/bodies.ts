import { execFileSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import { createClient, quantile, tally } from '../support/process-client.ts'
import type { Fault } from './support/fault.ts'

const LIMIT = 100 * 1024
const REPEATS = 20
const memory = (pid: number) =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024

export const bodies: Fault = {
  name: 'bodies',
  title: 'a body of limit + 1 bytes, a gzip bomb of 100 MiB, JSON 100,000 levels deep',
  holds: '413, 400 or 415; memory grows by less than 50 MiB',
  quick: true,
  async run(context) {
    const server = await context.server()
    const client = createClient(server.url)
    const post = (body: string | Buffer, headers = {}) =>
      client.post('/api/v1/auth/login', {
        body: body as string,
        headers: { 'content-type': 'application/json', ...headers },
      })
    const kinds: Record<string, () => ReturnType<typeof post>> = {
      'limit + 1': () => post(`"${'a'.repeat(LIMIT - 1)}"`),
      'gzip bomb': () => post(bomb.toString('latin1'), { 'content-encoding': 'gzip' }),
      depth: () => post('['.repeat(50_000) + ']'.repeat(50_000)),
      'depth beyond the limit': () => post('['.repeat(100_000) + ']'.repeat(100_000)),
    }
    const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024))
    for (let n = 0; n < 100; n++) await post('{}')
    const before = memory(server.pid)
    const told: string[] = []
    let isRight = true
    for (const [kind, send] of Object.entries(kinds)) {
      const answers = []
      for (let n = 0; n < REPEATS; n++) answers.push(await send())
      isRight &&= answers.every(({ status }) => [400, 413, 415].includes(status))
      told.push(`${kind}: ${tally(answers)}`)
    }
    const growth = memory(server.pid) - before
    client.close()
    return {
      ok: isRight && growth < 50,
      figure: `${told.join('; ')}; memory ${growth >= 0 ? '+' : ''}${growth.toFixed(1)} MiB`,
    }
  },
}

const FIELDS: Record<string, string[]> = {
  '/register': ['email', 'password', 'name', 'locale'],
  '/login': ['email', 'password', 'delivery'],
  '/refresh': ['refresh_token'],
  '/reset-password': ['email'],
  '/reset-password/confirm': ['token', 'new_password'],
  '/verify-email': ['token'],
  '/change-email/confirm': ['token'],
}
const VALID: Record<string, string> = {
  email: 'anna@example.org',
  password: 'a walk along the river',
  new_password: 'a walk along the river',
  name: 'Anna',
}
const LETTERS = ['a', 'я', 'é', '1@', '..', ' ', '\u202e']

export const longStrings: Fault = {
  name: 'long-strings',
  title: '64 KiB strings in every field of the public endpoints',
  holds: '50 ms at most each',
  quick: true,
  async run(context) {
    const server = await context.server()
    const client = createClient(server.url, { sockets: 1 })
    await client.post('/api/v1/auth/login', { body: {} })
    const times: number[] = []
    let wrong = 0
    for (const [path, fields] of Object.entries(FIELDS))
      for (const field of fields)
        for (const letters of LETTERS) {
          const long = letters.repeat(Math.ceil((64 * 1024) / Buffer.byteLength(letters)))
          const others = Object.fromEntries(fields.filter((name) => VALID[name]).map((name) => [name, VALID[name]]))
          const tries = []
          // The best of three: the machine has other work too, and a field that is slow is slow each time.
          for (let n = 0; n < 3; n++)
            tries.push(await client.post(`/api/v1/auth${path}`, { body: { ...others, [field]: long } }))
          if (tries.some(({ status }) => status < 400 || status >= 500)) wrong++
          times.push(Math.min(...tries.map(({ ms }) => ms)))
        }
    client.close()
    return {
      ok: wrong === 0 && Math.max(...times) <= 50,
      figure: `${times.length} fields and alphabets, all refused${wrong ? ` but ${wrong}` : ''}; median ${quantile(times, 0.5).toFixed(1)} ms, at most ${Math.max(...times).toFixed(1)}`,
    }
  },
}
