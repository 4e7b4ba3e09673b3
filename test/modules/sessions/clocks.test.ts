import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { HOUR, MINUTE } from '../../../src/kernel/lib/clock.ts'
import type { SignedInUser } from '../../../src/modules/auth/auth.schemas.ts'
import { engines } from '../../support/app.ts'
import { requireStatus } from '../../support/auth-calls.ts'
import { createDatabase, dropDatabase } from '../../support/postgres.ts'
import { type Client, createClient, signUp } from '../../support/process-client.ts'
import { type ServerProcess, startServer } from '../../support/processes.ts'
import { wrongClock } from '../../support/skew.ts'

const { skip } = engines.find(({ engine }) => engine === 'postgres') ?? { skip: 'no PostgreSQL' }
const PEOPLE = 5

interface Instance {
  server: ServerProcess
  client: Client
}

describe('Instances with different clocks on one PostgreSQL', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-clocks-'))
  const files = ['slow', 'fast'].map((name) => join(folder, name)) as [string, string]
  let database: string
  let slow: Instance
  let fast: Instance
  before(async () => {
    database = await createDatabase(process.env.TEST_POSTGRES_URL as string)
    const start = async (file: string, offset: number): Promise<Instance> => {
      writeFileSync(file, String(offset))
      const server = await startServer({
        DATA_DIR: folder,
        DATABASE_URL: database,
        APP_SECRET: 'x'.repeat(43),
        APP_URL: 'https://api.example.org',
        ...wrongClock(file),
      })
      return { server, client: createClient(server.url) }
    }
    slow = await start(files[0], -2 * MINUTE)
    fast = await start(files[1], 2 * MINUTE)
  })
  after(async () => {
    for (const instance of [slow, fast]) instance?.client.close()
    await Promise.all([slow, fast].map((instance) => instance?.server.stop()))
    await dropDatabase(database)
    rmSync(folder, { recursive: true })
  })

  const refresh = async (client: Client, { refresh_token }: SignedInUser) =>
    requireStatus(200, await client.refresh(refresh_token)).body.user
  const me = async (client: Client, { access_token }: SignedInUser) =>
    requireStatus(200, await client.me(access_token)).body
  let people = 0
  const signIn = (client: Client) => signUp(client, `clock-${++people}@example.org`)

  for (const [name, at] of [
    ['slow', () => [slow.client, fast.client]],
    ['fast', () => [fast.client, slow.client]],
  ] as const)
    test(`keep a session that moves from the ${name} one to the other`, async () => {
      const [one, other] = at() as [Client, Client]
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
    const times = await Promise.all(
      [slow, fast].map(async ({ client }) => Date.parse((await signIn(client)).server_time)),
    )
    for (const time of times) assert.ok(Math.abs(time - Date.now()) < MINUTE, `${time - Date.now()} ms off`)
  })

  test('report it in the log and in the readiness check', async () => {
    for (const { server, client } of [slow, fast]) {
      const difference = (server === slow.server ? -2 : 2) * MINUTE
      const warning = server
        .output()
        .split('\n')
        .find((line) => line.includes('synchronize both with NTP'))
      assert.ok(Math.abs(JSON.parse(warning ?? '{}').difference_ms - difference) < MINUTE)
      const ready = await client.get('/health/ready')
      assert.deepEqual([ready.status, ready.body.checks.clock], [200, 'differs'])
    }
  })

  test('keep every session when the clock of a machine is set', async () => {
    const sessions = [await signIn(slow.client), await signIn(fast.client)]
    for (const offset of [HOUR, -HOUR, 40 * 24 * HOUR, 0]) {
      writeFileSync(files[0], String(offset))
      for (const [index, session] of sessions.entries()) {
        await me(slow.client, session)
        const next = await refresh(slow.client, session)
        await me(fast.client, next)
        sessions[index] = next
      }
    }
  })
})
