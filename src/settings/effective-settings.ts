import { showDuration } from '../kernel/config/values.ts'
import { masked } from '../kernel/db/postgres/url.ts'
import { SECOND } from '../kernel/lib/clock.ts'
import type { Config } from './config.ts'
import { SETTINGS, type Setting } from './settings.ts'

/** Returns the effective value of every setting, secrets masked, and its source; for `bukhindor config`. */
export function effectiveSettings(env: Record<string, string | undefined>, config: Config) {
  const { database, dataDir, appUrl, corsAllowedOrigins } = config
  // Their defaults depend on other settings.
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

/** Formats a default as it would be written in the environment. */
export const showValue = (value: unknown): string =>
  typeof value === 'number' && value >= 10 * SECOND && value % 1000 === 0 ? showDuration(value) : String(value)
