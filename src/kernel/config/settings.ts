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
    'in `production`: HSTS, no CORS origin by default',
  ),
  HOST: setting(String, '127.0.0.1', 'address to listen on (`0.0.0.0` in the container)'),
  PORT: setting(integer(0, 65535), 8080, 'port to listen on; 0 takes a free one'),
  DATA_DIR: setting(
    (text) => resolve(text),
    resolve('data'),
    'the embedded database, the secret, the development mailbox',
    { shown: './data' },
  ),
  DATABASE_URL: setting<string | null>(
    postgresOrSqliteUrl,
    null,
    '`sqlite:PATH` or `postgres://USER:PASSWORD@HOST[:PORT][,HOST[:PORT]]/NAME`',
    { shown: 'sqlite:{DATA_DIR}/bukhindor.db', secret: true },
  ),
  DATABASE_POOL_SIZE: setting(integer(1, 500), 10, 'PostgreSQL connections of one process'),
  APP_SECRET: setting<Buffer[] | null>(
    (text) => text.split(',').map((part) => parseSecret(part.trim())),
    null,
    'at least 32 random bytes, base64url; a comma-separated list rotates it: the first signs, all verify. Required with PostgreSQL',
    { shown: 'made at the first start, kept in {DATA_DIR}/secret.key', secret: true },
  ),
  APP_URL: setting<string | null>(
    url,
    null,
    'where people reach the service: the base of links in e-mails, and `iss` of access tokens',
    { shown: 'http://localhost:{PORT}' },
  ),
  APP_LINK_URL: setting<string | null>(
    url,
    null,
    'links in e-mails open the app at this address instead of the service’s own pages',
    { shown: 'none' },
  ),
  CORS_ALLOWED_ORIGINS: setting<string[] | null>(
    list(origin),
    null,
    'origins of browsers that may call, comma-separated; `*` as a port or as the leading label',
    { shown: 'none in production, http://localhost:* and http://127.0.0.1:* otherwise' },
  ),
  CORS_ALLOWED_HEADERS: setting<string[]>(
    list(headerName),
    [],
    'request headers that browsers may send beside those of the app, tracing and HTTP clients, comma-separated',
    { shown: 'none' },
  ),
  TRUST_PROXY: setting<string[] | number | false>(
    trustProxy,
    false,
    'addresses (comma-separated, CIDR allowed) or number of proxies whose `X-Forwarded-*` count',
    { shown: 'off' },
  ),
  JWT_EXPIRATION: setting(duration(MINUTE, DAY), 15 * MINUTE, 'life of an access token'),
  REFRESH_TOKEN_EXPIRATION: setting(
    duration(MINUTE, 3650 * DAY),
    30 * DAY,
    'a session that is not used for this long ends',
  ),
  SESSION_MAX_AGE: setting(
    duration(MINUTE, 3650 * DAY),
    180 * DAY,
    'a session ends at this age, however much it is used',
  ),
  REFRESH_GRACE: setting(
    duration(0, 10 * MINUTE),
    10_000,
    'how long a past refresh token still counts as a parallel call',
  ),
  REFRESH_TAB_TOLERANCE: setting(
    duration(0, 30 * DAY),
    DAY,
    'how long a past refresh token from the same browser counts as another of its tabs; `0` is not at all',
    { shown: '24h' },
  ),
  MAX_SESSIONS: setting(
    integer(1, 10_000),
    100,
    'live sessions of a user; a further sign-in ends the one that was used longest ago',
  ),
  MIN_PASSWORD_LENGTH: setting(integer(8, 64), 8, 'shortest password, in characters; 128 is the longest'),
  REQUIRE_VERIFIED_EMAIL: setting(flag, false, 'refuse login before the e-mail is verified'),
  SMTP_URL: setting<string | null>(
    smtpUrl,
    null,
    '`smtp://USER:PASSWORD@HOST:PORT` (STARTTLS) or `smtps://…`; without it, mails land as files in {DATA_DIR}/mail',
    { shown: 'none', secret: true },
  ),
  MAIL_FROM: setting<string | null>(oneLine, null, 'sender of e-mails, such as `Bukhindor <no-reply@example.org>`', {
    shown: 'none',
  }),
  ACCOUNT_DELETION_GRACE: setting(
    duration(0, 3650 * DAY),
    14 * DAY,
    'how long a deleted account can be brought back; `0` is not at all',
  ),
  AUDIT_RETENTION: setting(duration(DAY, 36500 * DAY), 400 * DAY, 'how long audit events are kept'),
  LOG_LEVEL: setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'least level that is logged',
  ),
  LOG_FORMAT: setting<'json' | 'pretty' | null>(oneOf('json', 'pretty'), null, '`json` or `pretty`', {
    shown: 'json; pretty on a terminal',
  }),
  REQUEST_TIMEOUT: setting(
    duration(1000, 5 * MINUTE),
    15_000,
    'deadline of a request, from its first byte to its answer',
  ),
  WORKERS: setting<number | 'auto'>(
    (text) => (text === 'auto' ? 'auto' : integer(1, 128)(text)),
    1,
    'processes that share the port; `auto` is one per core',
  ),
  HASH_THREADS: setting<number | 'auto'>(
    (text) => (text === 'auto' ? 'auto' : integer(1, 256)(text)),
    'auto',
    'threads that hash passwords, of all workers together; `auto` is one per core, as far as the memory of the container reaches',
  ),
  COMMAND_LINE: setting<string | null>(
    oneLine,
    null,
    'how the command line is called where the service runs, for the messages that name it; `{hostname}` is that of the machine',
    { shown: 'npm run -s bukhindor --' },
  ),
  BACKUP_EVERY: setting(
    duration(0, 20 * DAY),
    0,
    'how often the embedded database is copied to {DATA_DIR}/backups; `0` is never',
    { shown: '0' },
  ),
  BACKUP_KEEP: setting(integer(1, 1000), 7, 'how many of these copies are kept'),
} as const

/** Decodes a secret: base64url of at least 32 bytes. Throws an Error that tells how to make one. */
export function parseSecret(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text) || bytes.length < 32)
    throw new Error(
      'must be at least 32 random bytes in base64url (43 characters); make one with: node -p "crypto.randomBytes(32).toString(\'base64url\')"',
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
      throw new Error(`must be off, a number of proxies, or their addresses; ${(error as Error).message}`)
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
  if (/\p{Cc}/u.test(text)) throw new Error('must be one line')
  return text
}
