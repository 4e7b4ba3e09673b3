import { readFileSync } from 'node:fs'
import { api } from './api.ts'
import type { Clock } from './kernel/clock.ts'
import type { Config } from './kernel/config.ts'
import { createDatabaseClock, fixed } from './kernel/db/clock.ts'
import { hasRows, openDatabase } from './kernel/db/database.ts'
import { createInstance } from './kernel/db/instances.ts'
import { migrateUp } from './kernel/db/migrator.ts'
import { hashThreads } from './kernel/hash-threads.ts'
import { createIdempotency } from './kernel/http/idempotency.ts'
import { addOpenApi } from './kernel/http/openapi.ts'
import { createCursors } from './kernel/http/pages.ts'
import { type App, createServer } from './kernel/http/server.ts'
import type { Log } from './kernel/log.ts'
import { sharedLookupKey } from './kernel/lookup-key.ts'
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
import { createKnownDevices } from './modules/throttle/known-devices.ts'
import { admitKey } from './modules/throttle/throttle.hooks.ts'
import { createThrottle } from './modules/throttle/throttle.service.ts'
import { createUsers, emailKey } from './modules/users/users.service.ts'

export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

/** Everything that works behind the routes, put together. Throws ConfigError and DatabaseError. */
export async function createServices(config: Config, log: Log, { clock: given }: { clock?: Clock } = {}) {
  const database = await openDatabase(config)
  const closing = async (error: unknown) => {
    await database.close()
    throw error
  }
  const { secrets } = await loadSecrets(config, () => hasRows(database, 'users')).catch(closing)
  const derived = deriveKeys(secrets)
  const clock = await (given ? Promise.resolve(fixed(given)) : createDatabaseClock(database, log)).catch(closing)
  const keys = { ...derived, lookup: await sharedLookupKey(database, clock, derived).catch(closing) }
  const passwords = createPasswords(hashThreads(config.hashThreads, config.workers))
  const cursors = createCursors(keys.cursor)
  const outbox = createOutbox({
    database,
    clock,
    log,
    sealer: createSealer(keys.sealing),
    transport: createTransport(config, log),
    render: (kind, locale, data) => renderMail(kind as MailKind, locale, data as never),
  })
  const links = createLinks({ database, clock, config })
  const audit = createAudit({ database, clock, config, cursors })
  const users = createUsers({ database, clock, cursors })
  const sessions = createSessions({ database, clock, config, users })
  const throttle = createThrottle({ database, clock, key: keys.lookup })
  const knownDevices = createKnownDevices({ clock, keys: keys.device })
  const mailer = createMailer({ outbox, log, take: throttle.take, emailKey })
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
    knownDevices,
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
    knownDevices,
  })
  const admin = createAdmin({ config, passwords, users, sessions, audit, auth })
  const idempotency = createIdempotency({
    database,
    clock,
    config,
    keys,
    standingOf: sessions.standingOf,
    admit: admitKey(throttle),
  })
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
  const instance = createInstance({ database })
  return {
    config,
    version: VERSION,
    instance,
    lifecycle: { draining: false },
    database,
    clock,
    passwords,
    users,
    tokens,
    refreshCookie: createRefreshCookie(config),
    throttle,
    guard: createGuard({ database, tokens, sessions, audit, throttle, idempotency }),
    auth,
    account,
    exports: createExports({ database, clock, users, sessions, audit, throttle, links, outbox }),
    admin,
    audit,
    mailer,
    outbox,
    housekeeping,
    idempotency,
    operator: createOperator({ database, config, passwords, users, audit, auth, admin }),
    /** Begins what goes on without a request: mails and housekeeping. */
    start() {
      clock.start()
      outbox.start()
      housekeeping.start()
    },
    async close() {
      await instance.end()
      await housekeeping.stop()
      await outbox.stop()
      await passwords.close()
      clock.stop()
      await database.close()
    },
  }
}

export type Services = Awaited<ReturnType<typeof createServices>>

/** Brings the schema of the configured database up to date, however long that takes. Returns what was applied. */
export async function migrate(config: Config): Promise<string[]> {
  const database = await openDatabase(config, { patient: true })
  try {
    const applied = await migrateUp(database)
    await database.optimize()
    return applied
  } finally {
    await database.close()
  }
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
    // A start that fails since the port is taken has sent no mail and begun no job.
    app.addHook('onListen', async () => services.start())
    await app.ready()
    return { app, services }
  } catch (error) {
    await services.close()
    throw error
  }
}
