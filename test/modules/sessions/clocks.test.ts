import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { HOUR, MINUTE } from '../../../src/kernel/lib/clock.ts'
import { engines, PASSWORD } from '../../support/app.ts'
import { createDatabase, dropDatabase } from '../../support/postgres.ts'
import { type ServerProcess, startServer } from '../../support/processes.ts'
import { wrongClock } from '../../support/skew.ts'

const { skip } = engines.find(({ engine }) => engine === 'postgres') ?? { skip: 'no PostgreSQL' }
const PEOPLE = 5

describe('Instances with different clocks on one PostgreSQL', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-clocks-'))
  const files = ['slow', 'fast'].map((name) => join(folder, name)) as [string, string]
  let database: string
  let slow: ServerProcess
  let fast: ServerProcess
  before(async () => {
    database = await createDatabase(process.env.TEST_POSTGRES_URL as string)
    const start = (file: string, offset: number) => {
      writeFileSync(file, String(offset))
      return startServer({
        DATA_DIR: folder,
        DATABASE_URL: database,
        APP_SECRET: 'x'.repeat(43),
        APP_URL: 'https://api.example.org',
        ...wrongClock(file),
      })
    }
    slow = await start(files[0], -2 * MINUTE)
    fast = await start(files[1], 2 * MINUTE)
  })
  after(async () => {
    await Promise.all([slow, fast].map((server) => server?.stop()))
    await dropDatabase(database)
    rmSync(folder, { recursive: true })
  })

  const call = async (server: ServerProcess, path: string, { body, token }: { body?: unknown; token?: string }) => {
    const answer = await fetch(`${server.url}/api/v1/auth/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: checked by the tests of each endpoint
    const content: any = await answer.json()
    assert.ok(answer.ok, `${path} at the ${server === slow ? 'slow' : 'fast'} one: ${JSON.stringify(content)}`)
    return content.user ?? content
  }
  const refresh = (server: ServerProcess, { refresh_token }: { refresh_token: string }) =>
    call(server, 'refresh', { body: { refresh_token } })
  const me = (server: ServerProcess, { access_token: token }: { access_token: string }) => call(server, 'me', { token })
  let people = 0
  async function signIn(server: ServerProcess) {
    const body = { email: `clock-${++people}@example.org`, name: 'Анна', password: PASSWORD }
    await call(server, 'register', { body })
    return call(server, 'login', { body: { email: body.email, password: body.password } })
  }

  for (const [name, at] of [
    ['slow', () => [slow, fast]],
    ['fast', () => [fast, slow]],
  ] as const)
    test(`keep a session that moves from the ${name} one to the other`, async () => {
      const [one, other] = at() as [ServerProcess, ServerProcess]
      for (let person = 0; person < PEOPLE; person++) {
        const first = await signIn(one)
        await me(other, first)
        const second = await refresh(one, first)
        await me(one, second)
        // Another isolate of the same app comes with the token of a moment ago.
        const parallel = await refresh(other, first)
        await me(other, parallel)
        await me(one, await refresh(one, parallel))
      }
    })

  test('use the same time', async () => {
    const times = await Promise.all([slow, fast].map(async (server) => Date.parse((await signIn(server)).server_time)))
    for (const time of times) assert.ok(Math.abs(time - Date.now()) < MINUTE, `${time - Date.now()} ms off`)
  })

  test('report it in the log and in the readiness check', async () => {
    for (const server of [slow, fast]) {
      const difference = (server === slow ? -2 : 2) * MINUTE
      const warning = server
        .output()
        .split('\n')
        .find((line) => line.includes('let NTP keep both'))
      assert.ok(Math.abs(JSON.parse(warning ?? '{}').difference_ms - difference) < MINUTE)
      const ready = await fetch(`${server.url}/health/ready`)
      const { checks } = (await ready.json()) as { checks: Record<string, string> }
      assert.deepEqual([ready.status, checks.clock], [200, 'differs'])
    }
  })

  test('keep every session when the clock of a machine is set', async () => {
    const sessions = [await signIn(slow), await signIn(fast)]
    for (const offset of [HOUR, -HOUR, 40 * 24 * HOUR, 0]) {
      writeFileSync(files[0], String(offset))
      for (const [index, session] of sessions.entries()) {
        await me(slow, session)
        const next = await refresh(slow, session)
        await me(fast, next)
        sessions[index] = next
      }
    }
  })
})
