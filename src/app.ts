import { api, DOCUMENT, REQUEST_HEADERS } from './api.ts'
import { migrateUp } from './kernel/db/migrator.ts'
import { openDatabase } from './kernel/db/open.ts'
import { openApi } from './kernel/http/openapi.ts'
import { createServer } from './kernel/http/server.ts'
import type { App } from './kernel/http/types.ts'
import type { Clock } from './kernel/lib/clock.ts'
import type { Log } from './kernel/log/log.ts'
import { createServices, type Services, VERSION } from './services.ts'
import type { Config } from './settings/config.ts'

/** Applies pending migrations, with the deadlines of migrations instead of those of requests. Returns their names. */
export async function migrate(config: Config): Promise<string[]> {
  const database = await openDatabase(config, { forMigration: true })
  try {
    const applied = await migrateUp(database)
    await database.optimize()
    return applied
  } finally {
    await database.close()
  }
}

/** Creates the application, not listening yet. `app.close()` finishes requests in flight and closes all services. */
export async function createApp(
  config: Config,
  log: Log,
  options: { clock?: Clock } = {},
): Promise<{ app: App; services: Services }> {
  const services = await createServices(config, log, options)
  try {
    const app = await createServer(config, log, services.lifecycle, REQUEST_HEADERS)
    await app.register(openApi, { version: VERSION, server: config.appUrl, ...DOCUMENT })
    await api(app, services)
    app.addHook('onClose', () => services.close())
    // After listening: a start that fails because the port is in use sends no e-mail and starts no job.
    app.addHook('onListen', async () => services.start())
    await app.ready()
    return { app, services }
  } catch (error) {
    await services.close()
    throw error
  }
}
