import { resolve } from 'node:path'
import { parseNetworks } from '../lib/ip-addresses.ts'
import { duration, flag, headerName, integer, list, oneOf, origin, postgresOrSqliteUrl, url } from './values.ts'

/** A setting that was not given has its default; `shown` in the documentation where it depends on others. */
export interface Setting<T> {
  parse: (text: string) => T
  fallback: T
  shown?: string
  about: string
  secret?: boolean
}
const setting = <T>(parse: (text: string) => T, fallback: T, about: string, more: Partial<Setting<T>> = {}) =>
  ({ parse, fallback, about, ...more }) satisfies Setting<T>

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** Every variable that the service reads: the one list behind the start-up check, `bukhindor config` and the docs. */
export const SETTINGS = {
  NODE_ENV: setting(
    oneOf('production', 'development', 'test'),
    'development',
    '`production` enables HSTS and allows no CORS origin by default',
  ),
  HOST: setting(String, '127.0.0.1', 'address to listen on (`0.0.0.0` in the container)'),
  PORT: setting(integer(0, 65535), 8080, 'port to listen on; 0 takes a free one'),
  DATA_DIR: setting(
    (text) => resolve(text),
    resolve('data'),
    'folder for the embedded database, its backups, the secret key and, without `SMTP_URL`, e-mails',
    { shown: './data' },
  ),
  DATABASE_URL: setting<string | null>(
    postgresOrSqliteUrl,
    null,
    'database to use: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]]/NAME`',
    { shown: 'sqlite:{DATA_DIR}/bukhindor.db', secret: true },
  ),
  DATABASE_POOL_SIZE: setting(integer(1, 500), 10, 'maximum number of PostgreSQL connections per process'),
  APP_SECRET: setting<Buffer[] | null>(
    (text) => text.split(',').map((part) => parseSecret(part.trim())),
    null,
    'secret from which all keys are derived: at least 32 random bytes in base64url. To rotate it, set a comma-separated list: the first secret signs, all verify. Required with PostgreSQL',
    { shown: 'generated at the first start and stored in {DATA_DIR}/secret.key', secret: true },
  ),
  APP_URL: setting<string | null>(
    url,
    null,
    'public address of the service: the base of links in e-mails, and `iss` of access tokens',
    { shown: 'http://localhost:{PORT}' },
  ),
  APP_LINK_URL: setting<string | null>(
    url,
    null,
    'base address of links in e-mails that open the app instead of the service’s own pages',
    { shown: 'none' },
  ),
  CORS_ALLOWED_ORIGINS: setting<string[] | null>(
    list(origin),
    null,
    'origins that browsers may call the API from, comma-separated; `*` is allowed as the port or as the leading label',
    { shown: 'none in production, http://localhost:* and http://127.0.0.1:* otherwise' },
  ),
  CORS_ALLOWED_HEADERS: setting<string[]>(
    list(headerName),
    [],
    'additional request headers that browsers may send, comma-separated; those of the app, of tracing and of common HTTP clients are always allowed',
    { shown: 'none' },
  ),
  TRUST_PROXY: setting<string[] | number | false>(
    trustProxy,
    false,
    'trusted reverse proxies, whose `X-Forwarded-For` is used: their addresses (comma-separated, CIDR allowed) or their number',
    { shown: 'off' },
  ),
  JWT_EXPIRATION: setting(duration(MINUTE, DAY), 15 * MINUTE, 'lifetime of an access token'),
  REFRESH_TOKEN_EXPIRATION: setting(
    duration(MINUTE, 3650 * DAY),
    30 * DAY,
    'lifetime of a refresh token: a session that is unused for this long ends',
  ),
  SESSION_MAX_AGE: setting(duration(MINUTE, 3650 * DAY), 180 * DAY, 'maximum age of a session, even if it is in use'),
  REFRESH_GRACE: setting(
    duration(0, 10 * MINUTE),
    10_000,
    'how long a previous refresh token is accepted as a parallel request',
  ),
  REFRESH_TAB_TOLERANCE: setting(
    duration(0, 30 * DAY),
    DAY,
    'how long a previous refresh token is accepted from another tab of the same browser; `0` disables this',
    { shown: '24h' },
  ),
  MAX_SESSIONS: setting(
    integer(1, 10_000),
    100,
    'maximum number of active sessions per user; a further sign-in ends the least recently used one',
  ),
  MIN_PASSWORD_LENGTH: setting(integer(8, 64), 8, 'minimum password length in characters; the maximum is 128'),
  REQUIRE_VERIFIED_EMAIL: setting(flag, false, 'require a verified e-mail address to sign in'),
  SMTP_URL: setting<string | null>(
    smtpUrl,
    null,
    'mail server: `smtp://USER:PASSWORD@HOST:PORT` (STARTTLS) or `smtps://…`. Without it, e-mails are written as files to {DATA_DIR}/mail',
    { shown: 'none', secret: true },
  ),
  MAIL_FROM: setting<string | null>(
    oneLine,
    null,
    'sender of e-mails, such as `Bukhindor <no-reply@example.org>`; required with `SMTP_URL`',
    {
      shown: 'none',
    },
  ),
  ACCOUNT_DELETION_GRACE: setting(
    duration(0, 3650 * DAY),
    14 * DAY,
    'how long users can cancel the deletion of their account; `0` deletes immediately',
  ),
  AUDIT_RETENTION: setting(duration(DAY, 36500 * DAY), 400 * DAY, 'how long audit events are kept'),
  LOG_LEVEL: setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'minimum level of log entries',
  ),
  LOG_FORMAT: setting<'json' | 'pretty' | null>(
    oneOf('json', 'pretty'),
    null,
    'format of the log: `json` or `pretty`',
    {
      shown: 'json; pretty on a terminal',
    },
  ),
  REQUEST_TIMEOUT: setting(
    duration(1000, 5 * MINUTE),
    15_000,
    'time limit for receiving a request, and again for answering it',
  ),
  WORKERS: setting<number | 'auto'>(
    (text) => (text === 'auto' ? 'auto' : integer(1, 128)(text)),
    1,
    'number of processes that share the port; `auto` is one per core',
  ),
  HASH_THREADS: setting<number | 'auto'>(
    (text) => (text === 'auto' ? 'auto' : integer(1, 256)(text)),
    'auto',
    'number of threads that hash passwords, in all workers together; `auto` is one per core, limited by the memory of the container',
  ),
  COMMAND_LINE: setting<string | null>(
    oneLine,
    null,
    'how to call the command line where the service runs, shown in messages; `{hostname}` is replaced by the name of the machine',
    { shown: 'npm run -s bukhindor --' },
  ),
  BACKUP_EVERY: setting(
    duration(0, 20 * DAY),
    0,
    'how often the embedded database is backed up to {DATA_DIR}/backups; `0` disables backups',
    { shown: '0' },
  ),
  BACKUP_KEEP: setting(integer(1, 1000), 7, 'number of these backups to keep'),
} as const

/** Decodes a secret: base64url of at least 32 bytes. Throws an Error that tells how to make one. */
export function parseSecret(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text) || bytes.length < 32)
    throw new Error(
      'must be at least 32 random bytes in base64url (43 characters); generate one with: node -p "crypto.randomBytes(32).toString(\'base64url\')"',
    )
  return bytes
}

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
  // Options in the query could switch off what keeps mails safe on their way.
  if (!/^smtps?:\/\/[^?#]+$/.test(text) || !URL.canParse(text))
    throw new Error('must be smtp://USER:PASSWORD@HOST:PORT or smtps://…')
  return text
}

function oneLine(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new Error('must be a single line')
  return text
}
