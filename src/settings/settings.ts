import { resolve } from 'node:path'
import { parseSecret } from '../kernel/config/config-error.ts'
import {
  duration,
  flag,
  headerName,
  integer,
  list,
  oneOf,
  origin,
  postgresOrSqliteUrl,
  url,
} from '../kernel/config/values.ts'
import { DAY, MINUTE, SECOND } from '../kernel/lib/clock.ts'
import { parseNetworks } from '../kernel/lib/ip-addresses.ts'

/** One environment variable. `shown` replaces `fallback` in the documentation. */
export interface Setting<K extends string, T> {
  /** Its name in `Config`. */
  key: K
  parse: (text: string) => T
  fallback: T
  shown?: string
  about: string
  secret?: boolean
}

function setting<const K extends string, T>(
  key: K,
  parse: (text: string) => T,
  fallback: NoInfer<T>,
  about: string,
  more: Pick<Setting<K, T>, 'shown' | 'secret'> = {},
): Setting<K, T> {
  return { key, parse, fallback, about, ...more }
}

/** The settings: parsed at startup, printed by `bukhindor config`, and listed in docs/configuration.md. */
export const SETTINGS = {
  NODE_ENV: setting(
    'environment',
    oneOf('production', 'development', 'test'),
    'development',
    '`production` enables HSTS and allows no CORS origin by default',
  ),
  HOST: setting('host', String, '127.0.0.1', 'address to listen on (`0.0.0.0` in the container)'),
  PORT: setting('port', integer(0, 65535), 8080, 'port to listen on; 0 takes a free one'),
  DATA_DIR: setting(
    'dataDir',
    (text) => resolve(text),
    resolve('data'),
    'folder for the embedded database, its backups, the secret key and, without `SMTP_URL`, e-mails',
    { shown: './data' },
  ),
  DATABASE_URL: setting<'databaseUrl', string | null>(
    'databaseUrl',
    postgresOrSqliteUrl,
    null,
    'database to use: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]]/NAME`',
    { shown: 'sqlite:{DATA_DIR}/bukhindor.db', secret: true },
  ),
  DATABASE_POOL_SIZE: setting('poolSize', integer(1, 500), 10, 'maximum number of PostgreSQL connections per process'),
  APP_SECRET: setting<'appSecret', Buffer[] | null>(
    'appSecret',
    (text) => text.split(',').map((part) => parseSecret(part.trim())),
    null,
    'secret from which all keys are derived: at least 32 random bytes in base64url. To rotate it, set a comma-separated list: the first secret signs, all verify. Required with PostgreSQL',
    { shown: 'generated at the first start and stored in {DATA_DIR}/secret.key', secret: true },
  ),
  APP_URL: setting<'appUrl', string | null>(
    'appUrl',
    url,
    null,
    'public address of the service: the base of links in e-mails, and `iss` of access tokens',
    { shown: 'http://localhost:{PORT}' },
  ),
  APP_LINK_URL: setting<'appLinkUrl', string | null>(
    'appLinkUrl',
    url,
    null,
    'base address of links in e-mails that open the app instead of the service’s own pages',
    { shown: 'none' },
  ),
  CORS_ALLOWED_ORIGINS: setting<'corsAllowedOrigins', string[] | null>(
    'corsAllowedOrigins',
    list(origin),
    null,
    'origins that browsers may call the API from, comma-separated; `*` is allowed as the port or as the leading label',
    { shown: 'none in production, http://localhost:* and http://127.0.0.1:* otherwise' },
  ),
  CORS_ALLOWED_HEADERS: setting<'corsAllowedHeaders', string[]>(
    'corsAllowedHeaders',
    list(headerName),
    [],
    'additional request headers that browsers may send, comma-separated; those of the app, of tracing and of common HTTP clients are always allowed',
    { shown: 'none' },
  ),
  TRUST_PROXY: setting<'trustProxy', string[] | number | false>(
    'trustProxy',
    trustProxy,
    false,
    'trusted reverse proxies, whose `X-Forwarded-For` is used: their addresses (comma-separated, CIDR allowed) or their number',
    { shown: 'off' },
  ),
  JWT_EXPIRATION: setting('accessTokenTtl', duration(MINUTE, DAY), 15 * MINUTE, 'lifetime of an access token'),
  REFRESH_TOKEN_EXPIRATION: setting(
    'sessionIdle',
    duration(MINUTE, 3650 * DAY),
    30 * DAY,
    'lifetime of a refresh token: a session that is unused for this long ends',
  ),
  SESSION_MAX_AGE: setting(
    'sessionMaxAge',
    duration(MINUTE, 3650 * DAY),
    180 * DAY,
    'maximum age of a session, even if it is in use',
  ),
  REFRESH_GRACE: setting(
    'refreshGrace',
    duration(0, 10 * MINUTE),
    10 * SECOND,
    'how long a previous refresh token is accepted as a parallel request',
  ),
  REFRESH_TAB_TOLERANCE: setting(
    'refreshTabTolerance',
    duration(0, 30 * DAY),
    DAY,
    'how long a previous refresh token is accepted from another tab of the same browser; `0` disables this',
    { shown: '24h' },
  ),
  MAX_SESSIONS: setting(
    'maxSessions',
    integer(1, 10_000),
    100,
    'maximum number of active sessions per user; a further sign-in ends the least recently used one',
  ),
  MIN_PASSWORD_LENGTH: setting(
    'minPasswordLength',
    integer(8, 64),
    8,
    'minimum password length in characters; the maximum is 128',
  ),
  REQUIRE_VERIFIED_EMAIL: setting('requireVerifiedEmail', flag, false, 'require a verified e-mail address to sign in'),
  SMTP_URL: setting<'smtpUrl', string | null>(
    'smtpUrl',
    smtpUrl,
    null,
    'mail server: `smtp://USER:PASSWORD@HOST:PORT` (STARTTLS) or `smtps://…`. Without it, e-mails are written as files to {DATA_DIR}/mail',
    { shown: 'none', secret: true },
  ),
  MAIL_FROM: setting<'mailFrom', string | null>(
    'mailFrom',
    oneLine,
    null,
    'sender of e-mails, such as `Bukhindor <no-reply@example.org>`; required with `SMTP_URL`',
    {
      shown: 'none',
    },
  ),
  ACCOUNT_DELETION_GRACE: setting(
    'accountDeletionGrace',
    duration(0, 3650 * DAY),
    14 * DAY,
    'how long users can cancel the deletion of their account; `0` deletes immediately',
  ),
  AUDIT_RETENTION: setting('auditRetention', duration(DAY, 36500 * DAY), 400 * DAY, 'how long audit events are kept'),
  LOG_LEVEL: setting(
    'logLevel',
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'minimum level of log entries',
  ),
  LOG_FORMAT: setting<'logFormat', 'json' | 'pretty' | null>(
    'logFormat',
    oneOf('json', 'pretty'),
    null,
    'format of the log: `json` or `pretty`',
    {
      shown: 'json; pretty on a terminal',
    },
  ),
  REQUEST_TIMEOUT: setting(
    'requestTimeout',
    duration(SECOND, 5 * MINUTE),
    15 * SECOND,
    'time limit for receiving a request, and again for answering it',
  ),
  WORKERS: setting<'workers', number | 'auto'>(
    'workers',
    (text) => (text === 'auto' ? 'auto' : integer(1, 128)(text)),
    1,
    'number of processes that share the port; `auto` is one per core',
  ),
  HASH_THREADS: setting<'hashThreads', number | 'auto'>(
    'hashThreads',
    (text) => (text === 'auto' ? 'auto' : integer(1, 256)(text)),
    'auto',
    'number of threads that hash passwords, in all workers together; `auto` is one per core, limited by the memory of the container',
  ),
  COMMAND_LINE: setting<'commandLine', string | null>(
    'commandLine',
    oneLine,
    null,
    'how to call the command line where the service runs, shown in messages; `{hostname}` is replaced by the name of the machine',
    { shown: 'npm run -s bukhindor --' },
  ),
  BACKUP_EVERY: setting(
    'backupEvery',
    duration(0, 20 * DAY),
    0,
    'how often the embedded database is backed up to {DATA_DIR}/backups; `0` disables backups',
    { shown: '0' },
  ),
  BACKUP_KEEP: setting('backupKeep', integer(1, 1000), 7, 'number of these backups to keep'),
} as const

function trustProxy(text: string): string[] | number | false {
  if (['off', 'false', '0'].includes(text)) return false
  if (/^\d+$/.test(text)) return integer(1, 32)(text)
  return list((part) => {
    try {
      parseNetworks(part)
    } catch (error) {
      throw new Error(`must be "off", a number of proxies, or their addresses; ${(error as Error).message}`)
    }
    return part
  })(text)
}

function smtpUrl(text: string): string {
  // Query options of nodemailer could disable TLS or certificate checks.
  if (!/^smtps?:\/\/[^?#]+$/.test(text) || !URL.canParse(text))
    throw new Error('must be smtp://USER:PASSWORD@HOST:PORT or smtps://…')
  return text
}

function oneLine(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new Error('must be a single line')
  return text
}
