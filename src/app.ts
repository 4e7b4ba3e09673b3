import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { api } from './api.ts'
import { type Clock, systemClock } from './kernel/clock.ts'
import type { Config } from './kernel/config.ts'
import { openDatabase } from './kernel/db/database.ts'
import { migrateUp } from './kernel/db/migrator.ts'
import { createIdempotency } from './kernel/http/idempotency.ts'
import { addOpenApi } from './kernel/http/openapi.ts'
import { createCursors } from './kernel/http/pages.ts'
import { type App, createServer } from './kernel/http/server.ts'
import type { Log } from './kernel/log.ts'
import { createOutbox } from './kernel/mail/outbox.ts'
import { createTransport } from './kernel/mail/transport.ts'
import { createPasswords } from './kernel/passwords.ts'
import { createSealer } from './kernel/sealing.ts'
import { deriveKeys, loadSecrets } from './kernel/secrets.ts'
import { createAccount } from './modules/account/account.service.ts'
import { createExports } from './modules/account/export.service.ts'
import { createAdmin } from './modules/admin/admin.service.ts'
import { createOperator } from './modules/admin/operator.service.ts'
import { createAudit } from './modules/audit/audit.service.ts'
import { createAuth } from './modules/auth/auth.service.ts'
import { createRefreshCookie } from './modules/auth/cookies.ts'
import { createGuard } from './modules/auth/guard.ts'
import { createAccessTokens } from './modules/auth/tokens.ts'
import { createHousekeeping } from './modules/housekeeping/housekeeping.ts'
import type { MailKind } from './modules/mails/letters.ts'
import { createLinks } from './modules/mails/links.service.ts'
import { createMailer } from './modules/mails/mailer.service.ts'
import { renderMail } from './modules/mails/mails.ts'
import { createRefreshTokens } from './modules/sessions/refresh-token.ts'
import { createSessions } from './modules/sessions/sessions.service.ts'
import { createThrottle } from './modules/throttle/throttle.service.ts'
import { createUsers } from './modules/users/users.service.ts'

export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

/** Everything that works behind the routes, put together. Throws ConfigError and DatabaseError. */
export async function createServices(config: Config, log: Log, { clock = systemClock }: { clock?: Clock } = {}) {
  const { secrets } = loadSecrets(config)
  const keys = deriveKeys(secrets)
  const database = await openDatabase(config)
  const passwords = createPasswords({ threads: Math.ceil(availableParallelism() / config.workers) })
  const cursors = createCursors(keys.cursor)
  const outbox = createOutbox({
    database,
    clock,
    log,
    sealer: createSealer(keys.sealing),
    transport: createTransport(config, log),
    render: (kind, locale, data) => renderMail(kind as MailKind, locale, data as never),
  })
  const mailer = createMailer({ outbox })
  const links = createLinks({ database, clock, config })
  const audit = createAudit({ database, clock, config, cursors })
  const users = createUsers({ database, clock, cursors })
  const sessions = createSessions({ database, clock, config })
  const throttle = createThrottle({ database, clock, key: keys.lookup })
  const tokens = await createAccessTokens(keys, clock, config)
  const refreshTokens = createRefreshTokens(keys.refresh)
  const auth = createAuth({
    database,
    clock,
    config,
    passwords,
    users,
    sessions,
    tokens,
    refreshTokens,
    audit,
    mailer,
    links,
    throttle,
  })
  const account = createAccount({
    database,
    clock,
    config,
    passwords,
    users,
    sessions,
    audit,
    mailer,
    links,
    auth,
    throttle,
  })
  const admin = createAdmin({ database, config, passwords, users, sessions, audit, auth })
  const idempotency = createIdempotency({ database, clock, config, keys })
  const housekeeping = createHousekeeping({
    database,
    clock,
    log,
    chores: {
      sessions: sessions.purge,
      links: links.purge,
      mails: outbox.purge,
      audit_events: audit.purge,
      throttles: throttle.purge,
      known_devices: throttle.purgeDevices,
      idempotency_keys: idempotency.purge,
      accounts: account.purge,
    },
  })
  return {
    config,
    version: VERSION,
    lifecycle: { draining: false },
    database,
    passwords,
    users,
    tokens,
    refreshCookie: createRefreshCookie(config),
    throttle,
    guard: createGuard({ database, tokens, sessions, audit, throttle }),
    auth,
    account,
    exports: createExports({ database, clock, users, sessions, audit, throttle, links, outbox }),
    admin,
    audit,
    outbox,
    housekeeping,
    idempotency,
    operator: createOperator({ database, config, passwords, users, audit, auth, admin }),
    /** Begins what goes on without a request: mails and housekeeping. */
    start() {
      outbox.start()
      housekeeping.start()
    },
    async close() {
      await housekeeping.stop()
      await outbox.stop()
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
  const services = await createServices(config, log, options)
  try {
    const app = createServer(config, log, services.lifecycle)
    await addOpenApi(app, { version: VERSION, server: config.appUrl })
    await api(app, services)
    app.addHook('onClose', () => services.close())
    await app.ready()
    services.start()
    return { app, services }
  } catch (error) {
    await services.close()
    throw error
  }
}
