import { readFileSync } from 'node:fs'
import { api } from './api.ts'
import { type Clock, systemClock } from './kernel/clock.ts'
import type { Config } from './kernel/config.ts'
import { openDatabase } from './kernel/db/database.ts'
import { migrateUp } from './kernel/db/migrator.ts'
import { addOpenApi } from './kernel/http/openapi.ts'
import { createCursors } from './kernel/http/pages.ts'
import { type App, createServer } from './kernel/http/server.ts'
import type { Log } from './kernel/log.ts'
import { createPasswords } from './kernel/passwords.ts'
import { deriveKeys, loadSecrets } from './kernel/secrets.ts'
import { createAccount } from './modules/account/account.service.ts'
import { createAdmin } from './modules/admin/admin.service.ts'
import { createOperator } from './modules/admin/operator.service.ts'
import { createAuth } from './modules/auth/auth.service.ts'
import { createGuard } from './modules/auth/guard.ts'
import { createAccessTokens } from './modules/auth/tokens.ts'
import { createRefreshTokens } from './modules/sessions/refresh-token.ts'
import { createSessions } from './modules/sessions/sessions.service.ts'
import { createUsers } from './modules/users/users.service.ts'

export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

/** Everything that works behind the routes, put together. Throws ConfigError and DatabaseError. */
export async function createServices(config: Config, { clock = systemClock }: { clock?: Clock } = {}) {
  const { secrets } = loadSecrets(config)
  const keys = deriveKeys(secrets)
  const database = await openDatabase(config)
  const passwords = createPasswords()
  const users = createUsers({ database, clock, cursors: createCursors(keys.cursor) })
  const sessions = createSessions({ database, clock, config })
  const tokens = await createAccessTokens(keys, clock, config)
  const admin = createAdmin({ database, config, passwords, users, sessions })
  const refreshTokens = createRefreshTokens(keys.refresh)
  return {
    version: VERSION,
    lifecycle: { draining: false },
    database,
    passwords,
    users,
    tokens,
    guard: createGuard({ tokens, sessions }),
    auth: createAuth({ database, clock, config, passwords, users, sessions, tokens, refreshTokens }),
    account: createAccount({ database, users }),
    admin,
    operator: createOperator({ database, config, passwords, users, sessions, admin }),
    async close() {
      await passwords.close()
      await database.close()
    },
  }
}

export type Services = Awaited<ReturnType<typeof createServices>>

/** Brings the schema of the configured database up to date, however long that takes. Returns what was applied. */
export async function migrate(config: Config): Promise<string[]> {
  const database = await openDatabase(config, { patient: true })
  return migrateUp(database).finally(() => database.close())
}

/** The whole application, not listening yet. `close` finishes what runs and lets everything go. */
export async function createApp(
  config: Config,
  log: Log,
  options: { clock?: Clock } = {},
): Promise<{ app: App; services: Services }> {
  const services = await createServices(config, options)
  const app = createServer(config, log, services.lifecycle)
  await addOpenApi(app, VERSION)
  await api(app, services)
  app.addHook('onClose', () => services.close())
  await app.ready()
  return { app, services }
}
