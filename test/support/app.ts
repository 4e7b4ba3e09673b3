import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe } from 'node:test'
import { createApp, migrate } from '../../src/app.ts'
import type { Engine } from '../../src/kernel/db/database.ts'
import type { App } from '../../src/kernel/http/types.ts'
import { createLog } from '../../src/kernel/log/log.ts'
import type { Services } from '../../src/services.ts'
import { type Config, loadConfig } from '../../src/settings/config.ts'
import { PASSWORD, requireStatus } from './auth-calls.ts'
import { type Api, createApi } from './client.ts'
import { createTestClock, type TestClock } from './clock.ts'
import { copyDatabase, createDatabase, dropDatabase } from './postgres.ts'

/** The cluster that `scripts/test.ts` has started; without one the tests on PostgreSQL are reported as skipped. */
const CLUSTER = process.env.TEST_POSTGRES_URL

export const engines: { engine: Engine; name: string; skip: string | false }[] = [
  { engine: 'sqlite', name: 'SQLite', skip: false },
  { engine: 'postgres', name: 'PostgreSQL', skip: CLUSTER ? false : 'PostgreSQL is not installed' },
]

/** Declares a suite that runs once on each available engine. */
export function describeOnEachEngine(name: string, body: (engine: Engine) => void): void {
  for (const { engine, name: engineName, skip } of engines)
    describe(`${name}, on ${engineName}`, { skip }, () => body(engine))
}

export interface TestApp {
  url: string
  api: Api
  app: App
  services: Services
  config: Config
  clock: TestClock
  /** Every line that was logged. */
  logs: Record<string, unknown>[]
  close(): Promise<void>
}

export interface StartOptions {
  /** Additional environment variables. */
  env?: Record<string, string>
  clock?: TestClock
}

/** Shared by all apps of a process, so that a second app accepts the tokens of the first. */
const APP_SECRET = randomBytes(32).toString('base64url')

/**
 * Starts the whole service on a free port with its own database. `close` stops it and removes its data;
 * it fails if a secret that the client has sent or received is in the log.
 */
export async function startApp(engine: Engine, { env = {}, clock = createTestClock() }: StartOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-test-'))
  const database = engine === 'postgres' && !env.DATABASE_URL ? await migratedDatabase() : null
  const config = loadConfig({
    NODE_ENV: 'test',
    PORT: '0',
    DATA_DIR: folder,
    APP_URL: 'https://api.example.org',
    APP_SECRET,
    LOG_FORMAT: 'json',
    ...(database && { DATABASE_URL: database }),
    ...env,
  })
  if (!database) await migrate(config)
  const logs: Record<string, unknown>[] = []
  const log = await createLog(config, {
    write(text: string) {
      const line = JSON.parse(text)
      logs.push(line)
      if (line.reason === 'internal') process.stderr.write(`${line.method} ${line.route}: ${line.err?.stack}\n`)
    },
  })
  const { app, services } = await createApp(config, log, { clock })
  const url = await app.listen({ host: '127.0.0.1', port: config.port })
  const api = createApi(url, app.swagger())
  const close = async () => {
    await app.close()
    rmSync(folder, { recursive: true, force: true })
    if (database) await dropDatabase(database)
    const text = JSON.stringify(logs)
    for (const secret of api.secrets) assert.ok(!text.includes(secret), `a secret is in the log: ${secret}`)
  }
  return { url, api, app, services, config, clock, logs, close } satisfies TestApp
}

/** `startApp` for a suite: it runs before the first test and closes after the last. */
export function useApp(engine: Engine, options?: StartOptions): TestApp {
  let running: TestApp | undefined
  before(async () => {
    running = await startApp(engine, options)
  })
  after(() => running?.close())
  return new Proxy({} as TestApp, {
    get: (_target, name) => (running ?? assert.fail('the app runs in tests only'))[name as keyof TestApp],
  })
}

let template: Promise<string> | undefined

/** A fresh PostgreSQL database, copied from one that was migrated once. */
async function migratedDatabase(): Promise<string> {
  if (!CLUSTER) throw new Error('TEST_POSTGRES_URL is not set')
  template ??= createDatabase(CLUSTER).then(async (url) => {
    await migrate(loadConfig({ DATABASE_URL: url, APP_SECRET }))
    return url
  })
  return copyDatabase(await template)
}

export { PASSWORD }

let people = 0

/** Registers a user. Returns the user and the password. */
export async function register(api: Api, input: { email?: string; name?: string; password?: string } = {}) {
  const body = { email: `person-${++people}@example.org`, password: PASSWORD, ...input }
  const answer = requireStatus(201, await api.register(body))
  return { ...answer.body.user, password: body.password }
}

/** Registers a user with a verified address, which receives notices. Returns the user and the password. */
export async function registerVerified(
  { api, services }: Pick<TestApp, 'api' | 'services'>,
  input: { email?: string; name?: string; password?: string } = {},
) {
  const person = await register(api, input)
  const { database, users } = services
  await database.transaction((trx) => users.verifyEmail(trx, person.id, person.email))
  return { ...person, email_verified: true }
}

/** Signs a user in. Returns the user with the tokens. */
export async function signIn(
  api: Api,
  { email, password = PASSWORD }: { email: string; password?: string },
  headers: Record<string, string> = {},
) {
  return requireStatus(200, await api.login({ email, password }, { headers })).body.user
}

/** Creates an administrator as the command line does. Returns the user and the password. */
export async function createAdmin(
  services: Services,
  input: { email?: string; name?: string; password?: string } = {},
) {
  const given = { email: `admin-${++people}@example.org`, name: 'Administrator', password: PASSWORD, ...input }
  return { ...(await services.operator.create({ ...given, role: 'admin' })), password: given.password }
}
