import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigError } from '../kernel/config/config-error.ts'
import { SETTINGS, type Setting } from './settings.ts'

type Settings = typeof SETTINGS
type Values = { [V in keyof Settings as Settings[V]['key']]: ReturnType<Settings[V]['parse']> }
type RawKeys = 'environment' | 'databaseUrl' | 'poolSize'

/** The effective settings: those of `settings.ts` by their keys, and values derived from several of them. */
export type Config = Readonly<
  Omit<Values, RawKeys | 'appUrl' | 'corsAllowedOrigins' | 'workers'> & {
    production: boolean
    database: { engine: 'sqlite'; file: string } | { engine: 'postgres'; url: string; poolSize: number }
    appUrl: string
    corsAllowedOrigins: string[]
    workers: number
  }
>

/** Reads `.env` of a folder; variables of the process environment take precedence. Throws ConfigError. */
export function readEnvironment(folder = process.cwd()): Record<string, string | undefined> {
  try {
    return { ...parseEnv(readFileSync(resolve(folder, '.env'), 'utf8')), ...process.env }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return process.env
    throw new ConfigError([`.env: ${(error as Error).message}`])
  }
}

const LOOPBACK_ORIGINS = ['http://localhost:*', 'http://127.0.0.1:*']

/** Parses settings from the environment. Throws ConfigError with every fault at once. Empty values count as absent. */
export function loadConfig(env: Record<string, string | undefined>): Config {
  const faults: string[] = []
  const { environment, databaseUrl, poolSize, ...values } = read(env, faults)
  const production = environment === 'production'
  const { dataDir, port, workers } = values
  const url = databaseUrl ?? `sqlite:${resolve(dataDir, 'bukhindor.db')}`
  const config: Config = {
    ...values,
    production,
    database: url.startsWith('sqlite:')
      ? { engine: 'sqlite', file: resolve(url.slice('sqlite:'.length).replace(/^\/\//, '')) }
      : { engine: 'postgres', url, poolSize },
    appUrl: values.appUrl ?? `http://localhost:${port}`,
    corsAllowedOrigins: values.corsAllowedOrigins ?? (production ? [] : LOOPBACK_ORIGINS),
    workers: workers === 'auto' ? availableParallelism() : workers,
  }
  faults.push(...combinationFaults(config, env))
  if (faults.length) throw new ConfigError(faults)
  return Object.freeze(config)
}

/** Returns the value of each setting by its key. An invalid value is added to `faults` and replaced by the default. */
function read(env: Record<string, string | undefined>, faults: string[]): Values {
  const entries = Object.entries<Setting<string, unknown>>(SETTINGS).map(([name, { key, parse, fallback, secret }]) => {
    const text = env[name]?.trim()
    if (!text) return [key, fallback]
    try {
      return [key, parse(text)]
    } catch (error) {
      faults.push(`${name}${secret ? '' : ` is "${text}"`}: ${(error as Error).message}`)
      return [key, fallback]
    }
  })
  return Object.fromEntries(entries) as Values
}

/** Returns faults in combinations of settings that are valid individually. */
function combinationFaults(
  { database, appSecret, ...config }: Config,
  env: Record<string, string | undefined>,
): string[] {
  const isPostgres = database.engine === 'postgres'
  return [
    ...(isPostgres && appSecret === null && !env.APP_SECRET?.trim()
      ? ['APP_SECRET: required with PostgreSQL; set the same value on every instance']
      : []),
    ...(isPostgres && config.backupEvery
      ? [
          'BACKUP_EVERY: supported only with the embedded database; with PostgreSQL, use pg_dump or continuous archiving',
        ]
      : []),
    ...(config.smtpUrl && !config.mailFrom
      ? ['MAIL_FROM: required with SMTP_URL, for example "Bukhindor <no-reply@example.org>"']
      : []),
    ...(config.accessTokenTtl > config.sessionIdle
      ? ['JWT_EXPIRATION: must not be longer than REFRESH_TOKEN_EXPIRATION']
      : []),
  ]
}
