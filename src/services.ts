import { readFileSync } from 'node:fs'
import { loadLookupKey } from './kernel/crypto/lookup-key.ts'
import { createSealer } from './kernel/crypto/sealer.ts'
import { deriveKeys, loadSecrets } from './kernel/crypto/secrets.ts'
import { createDatabaseClock, fixed } from './kernel/db/clock.ts'
import { createInstance } from './kernel/db/instances.ts'
import { hasRows, openDatabase } from './kernel/db/open.ts'
import { createIdempotency } from './kernel/http/idempotency/idempotency.ts'
import { createCursors } from './kernel/http/pagination/cursors.ts'
import type { Clock } from './kernel/lib/clock.ts'
import { collect } from './kernel/lib/declaration.ts'
import type { Log } from './kernel/log/log.ts'
import { createOutbox } from './kernel/mail/outbox.ts'
import { createTransport } from './kernel/mail/transport.ts'
import { createAccount } from './modules/account/account.service.ts'
import { createExports } from './modules/account/export.service.ts'
import { createAudit } from './modules/audit/audit.service.ts'
import { createAccessTokens } from './modules/auth/access-tokens.ts'
import { createAuth } from './modules/auth/auth.service.ts'
import { createGuard } from './modules/auth/guard.ts'
import { createRefreshCookie } from './modules/auth/refresh-cookie.ts'
import { createCredentials } from './modules/credentials/credentials.service.ts'
import { hashThreads } from './modules/credentials/hash-threads.ts'
import { createOneTimeTokens } from './modules/credentials/one-time-tokens.service.ts'
import { createPasswords } from './modules/credentials/passwords.ts'
import { createMailer } from './modules/emails/mailer.service.ts'
import { renderMail } from './modules/emails/render.ts'
import type { MailKind } from './modules/emails/templates.ts'
import { createKnownDevices } from './modules/rate-limits/known-devices.ts'
import { rateLimitsErrors } from './modules/rate-limits/rate-limits.errors.ts'
import { admitKey, rateLimitsPlugin } from './modules/rate-limits/rate-limits.plugin.ts'
import { createRateLimits } from './modules/rate-limits/rate-limits.service.ts'
import { createRetention } from './modules/retention/retention.service.ts'
import { createRefreshTokens } from './modules/sessions/refresh-token.ts'
import { createSessions } from './modules/sessions/sessions.service.ts'
import { createOperator } from './modules/users/operator.service.ts'
import { createUserManagement } from './modules/users/user-management.service.ts'
import { createUsers, emailKey } from './modules/users/users.service.ts'
import type { Config } from './settings/config.ts'

export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

/** Creates all services. Throws ConfigError and DatabaseError. */
export async function createServices(config: Config, log: Log, { clock: injectedClock }: { clock?: Clock } = {}) {
  const database = await openDatabase(config)
  const closeAndRethrow = async (error: unknown) => {
    await database.close()
    throw error
  }
  const secrets = await loadSecrets(config, () => hasRows(database, 'users')).catch(closeAndRethrow)
  const keys = deriveKeys(secrets)
  const clock = await (injectedClock
    ? Promise.resolve(fixed(injectedClock))
    : createDatabaseClock(database, log)
  ).catch(closeAndRethrow)
  const lookupKey = await loadLookupKey(database, clock, keys).catch(closeAndRethrow)
  const passwords = createPasswords(hashThreads(config.hashThreads, config.workers))
  const cursors = createCursors(keys.of('cursor'))
  const outbox = createOutbox({
    database,
    clock,
    log,
    sealer: createSealer(keys.of('sealing')),
    transport: createTransport(config, log),
    render: (kind, locale, data) => renderMail(kind as MailKind, locale, data as never),
  })
  const oneTimeTokens = createOneTimeTokens({ database, clock, config })
  const audit = createAudit({ database, clock, config, cursors })
  const users = createUsers({ database, clock, cursors })
  const sessions = createSessions({ database, clock, config, users, audit })
  const rateLimits = createRateLimits({ database, clock, key: lookupKey })
  const knownDevices = createKnownDevices({ clock, keys: keys.of('device-token') })
  const mailer = createMailer({ outbox, log, take: rateLimits.take, emailKey })
  const tokens = await createAccessTokens(keys.of('access-token'), clock, config)
  const refreshTokens = createRefreshTokens(keys.of('refresh-token'))
  const shared = { database, clock, config, passwords, users, sessions, audit, mailer, oneTimeTokens, rateLimits }
  const credentials = createCredentials({ ...shared, knownDevices })
  const auth = createAuth({ ...shared, knownDevices, tokens, refreshTokens, credentials })
  const account = createAccount({ ...shared, auth, credentials })
  const userManagement = createUserManagement({ ...shared, credentials })
  const idempotency = createIdempotency({
    database,
    clock,
    config,
    keys: { sealing: keys.of('sealing'), lookup: lookupKey },
    fingerprintOf: sessions.fingerprintOf,
    admit: admitKey(rateLimits),
    refusals: [rateLimitsErrors.rate_limited],
  })
  /** The services whose declarations are collected: audit events, retention jobs, lists of the data export. */
  const modules = {
    sessions,
    rateLimits,
    audit,
    oneTimeTokens,
    outbox,
    credentials,
    auth,
    account,
    userManagement,
    idempotency,
  }
  const declared = collect(modules)
  const exports = createExports({ database, clock, users, audit, lists: declared.personalData })
  const retention = createRetention({ database, clock, log, jobs: declared.retention })
  const instance = createInstance({ database })
  return {
    ...modules,
    config,
    version: VERSION,
    declared,
    instance,
    lifecycle: { draining: false },
    database,
    clock,
    passwords,
    users,
    tokens,
    refreshTokens,
    refreshCookie: createRefreshCookie(config),
    limits: rateLimitsPlugin(rateLimits),
    guard: createGuard({ database, tokens, sessions, audit, rateLimits, idempotency }),
    exports,
    mailer,
    retention,
    operator: createOperator({ ...shared, credentials, userManagement }),
    /** Starts background work: clock synchronisation, e-mails and retention. */
    start() {
      clock.start()
      outbox.start()
      retention.start()
    },
    async close() {
      await instance.end()
      await retention.stop()
      await outbox.stop()
      await passwords.close()
      clock.stop()
      await database.close()
    },
  }
}

export type Services = Awaited<ReturnType<typeof createServices>>
