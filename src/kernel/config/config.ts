import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { SETTINGS } from './settings.ts'

/** The settings are wrong: `faults` names each of them. */
export class ConfigError extends Error {
  readonly faults: string[]
  constructor(faults: string[]) {
    super(
      faults.length === 1 ? String(faults[0]) : `${faults.length} errors:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.faults = faults
  }
}

type Variable = keyof typeof SETTINGS
type Value<V extends Variable> = ReturnType<(typeof SETTINGS)[V]['parse']> | (typeof SETTINGS)[V]['fallback']

export type Config = Readonly<{
  production: boolean
  host: string
  port: number
  dataDir: string
  database: { engine: 'sqlite'; file: string } | { engine: 'postgres'; url: string; poolSize: number }
  appSecret: Buffer[] | null
  appUrl: string
  appLinkUrl: string | null
  corsAllowedOrigins: string[]
  corsAllowedHeaders: string[]
  trustProxy: string[] | number | false
  accessTokenTtl: number
  sessionIdle: number
  sessionMaxAge: number
  refreshGrace: number
  refreshTabTolerance: number
  maxSessions: number
  minPasswordLength: number
  requireVerifiedEmail: boolean
  smtpUrl: string | null
  mailFrom: string | null
  accountDeletionGrace: number
  auditRetention: number
  logLevel: string
  logFormat: 'json' | 'pretty' | null
  requestTimeout: number
  workers: number
  hashThreads: number | 'auto'
  commandLine: string | null
  backupEvery: number
  backupKeep: number
}>

/** Reads `.env` of a folder, the process environment on top of it. */
export function readEnvironment(folder = process.cwd()): Record<string, string | undefined> {
  try {
    return { ...parseEnv(readFileSync(resolve(folder, '.env'), 'utf8')), ...process.env }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return process.env
    throw new ConfigError([`.env: ${(error as Error).message}`])
  }
}

const LOOPBACK_ORIGINS = ['http://localhost:*', 'http://127.0.0.1:*']

/** Turns the environment into settings. Throws ConfigError with every fault at once. An empty value is an absent one. */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const faults: string[] = []
  const read = <V extends Variable>(name: V): Value<V> => {
    const text = env[name]?.trim()
    if (!text) return SETTINGS[name].fallback as Value<V>
    try {
      return SETTINGS[name].parse(text) as Value<V>
    } catch (error) {
      const shown = 'secret' in SETTINGS[name] ? '' : ` is "${text}"`
      faults.push(`${name}${shown}: ${(error as Error).message}`)
      return SETTINGS[name].fallback as Value<V>
    }
  }
  const production = read('NODE_ENV') === 'production'
  const dataDir = read('DATA_DIR')
  const databaseUrl = read('DATABASE_URL') ?? `sqlite:${resolve(dataDir, 'bukhindor.db')}`
  const port = read('PORT')
  const workers = read('WORKERS')
  const config: Config = {
    production,
    host: read('HOST'),
    port,
    dataDir,
    database: databaseUrl.startsWith('sqlite:')
      ? { engine: 'sqlite', file: resolve(databaseUrl.slice('sqlite:'.length).replace(/^\/\//, '')) }
      : { engine: 'postgres', url: databaseUrl, poolSize: read('DATABASE_POOL_SIZE') },
    appSecret: read('APP_SECRET'),
    appUrl: read('APP_URL') ?? `http://localhost:${port}`,
    appLinkUrl: read('APP_LINK_URL'),
    corsAllowedOrigins: read('CORS_ALLOWED_ORIGINS') ?? (production ? [] : LOOPBACK_ORIGINS),
    corsAllowedHeaders: read('CORS_ALLOWED_HEADERS'),
    trustProxy: read('TRUST_PROXY'),
    accessTokenTtl: read('JWT_EXPIRATION'),
    sessionIdle: read('REFRESH_TOKEN_EXPIRATION'),
    sessionMaxAge: read('SESSION_MAX_AGE'),
    refreshGrace: read('REFRESH_GRACE'),
    refreshTabTolerance: read('REFRESH_TAB_TOLERANCE'),
    maxSessions: read('MAX_SESSIONS'),
    minPasswordLength: read('MIN_PASSWORD_LENGTH'),
    requireVerifiedEmail: read('REQUIRE_VERIFIED_EMAIL'),
    smtpUrl: read('SMTP_URL'),
    mailFrom: read('MAIL_FROM'),
    accountDeletionGrace: read('ACCOUNT_DELETION_GRACE'),
    auditRetention: read('AUDIT_RETENTION'),
    logLevel: read('LOG_LEVEL'),
    logFormat: read('LOG_FORMAT'),
    requestTimeout: read('REQUEST_TIMEOUT'),
    workers: workers === 'auto' ? availableParallelism() : workers,
    hashThreads: read('HASH_THREADS'),
    commandLine: read('COMMAND_LINE'),
    backupEvery: read('BACKUP_EVERY'),
    backupKeep: read('BACKUP_KEEP'),
  }
  if (config.database.engine === 'postgres' && !env.APP_SECRET?.trim())
    faults.push('APP_SECRET: required with PostgreSQL; set the same value on every instance')
  if (config.database.engine === 'postgres' && config.backupEvery)
    faults.push(
      'BACKUP_EVERY: supported only with the embedded database; with PostgreSQL, use pg_dump or continuous archiving',
    )
  if (config.smtpUrl && !config.mailFrom)
    faults.push('MAIL_FROM: required with SMTP_URL, for example "Bukhindor <no-reply@example.org>"')
  if (config.accessTokenTtl > config.sessionIdle)
    faults.push('JWT_EXPIRATION: must not be longer than REFRESH_TOKEN_EXPIRATION')
  if (faults.length) throw new ConfigError(faults)
  return Object.freeze(config)
}
