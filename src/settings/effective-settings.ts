import { showDuration } from '../kernel/config/values.ts'
import { masked } from '../kernel/db/postgres/url.ts'
import { SECOND } from '../kernel/lib/clock.ts'
import type { Config } from './config.ts'
import { SETTINGS, type Setting } from './settings.ts'

/** Every setting as it is in force, for `bukhindor config`: its text, masked where it is a secret, and where it is from. */
export function effectiveSettings(env: Record<string, string | undefined>, config: Config) {
  const { database, dataDir, appUrl, corsAllowedOrigins } = config
  // Some follow from others.
  const derived: Record<string, string> = {
    DATA_DIR: dataDir,
    DATABASE_URL: database.engine === 'sqlite' ? `sqlite:${database.file}` : masked(database.url),
    APP_URL: appUrl,
    CORS_ALLOWED_ORIGINS: corsAllowedOrigins.join(',') || 'none',
  }
  const entries = Object.entries(SETTINGS as Record<string, Setting<string, unknown>>).map(
    ([name, { fallback, shown, secret }]) => {
      const given = env[name]?.trim()
      const text = given ? (secret ? (given.includes('://') ? masked(given) : '***') : given) : undefined
      return [
        name,
        { value: derived[name] ?? text ?? shown ?? showValue(fallback), from: given ? 'environment' : 'default' },
      ] as const
    },
  )
  return Object.fromEntries(entries)
}

/** A default as it would be written in the environment. */
export const showValue = (value: unknown): string =>
  typeof value === 'number' && value >= 10 * SECOND && value % 1000 === 0 ? showDuration(value) : String(value)
