import { isIP } from 'node:net'
import Bowser from 'bowser'
import type { Locale } from '../../kernel/i18n/locale.ts'

/** Names that the parser may return. The parser passes on names it does not know; this list does not. */
const BROWSERS: ReadonlyMap<string, string> = new Map(
  [
    'Chrome',
    'Chromium',
    'Firefox',
    'Safari',
    'Opera',
    'Vivaldi',
    'Brave',
    'DuckDuckGo',
    'UC Browser',
    'Yandex Browser',
  ].map((name) => [name, name] as const),
)
  .set('Microsoft Edge', 'Edge')
  .set('Samsung Internet for Android', 'Samsung Internet')
const SYSTEMS: ReadonlySet<string> = new Set(['Windows', 'macOS', 'iOS', 'Android', 'Linux', 'Chrome OS'])

const WORDS: Record<Locale, { on: string; unknown: string; apps: Record<string, string> }> = {
  en: {
    on: 'on',
    unknown: 'Unknown device',
    apps: {
      ios: 'iPhone or iPad app',
      android: 'Android app',
      macos: 'Mac app',
      windows: 'Windows app',
      linux: 'Linux app',
      web: 'Browser',
    },
  },
  ru: {
    on: 'на',
    unknown: 'Неизвестное устройство',
    apps: {
      ios: 'Приложение для iPhone или iPad',
      android: 'Приложение для Android',
      macos: 'Приложение для Mac',
      windows: 'Приложение для Windows',
      linux: 'Приложение для Linux',
      web: 'Браузер',
    },
  },
}

interface Device {
  /** The user agent, unchecked. */
  device?: string | null
  appType?: string | null
  appVersion?: string | null
}

/**
 * Describes a device as “Android app 1.4.0” or “Chrome on Windows”. Text sent by the client is not repeated, except
 * numeric versions.
 */
export function describeDevice(locale: Locale, { device, appType, appVersion }: Device): string {
  const { on, unknown, apps } = WORDS[locale]
  const app = appType && Object.hasOwn(apps, appType) ? apps[appType] : undefined
  const browser = describeBrowser(device ?? '', on)
  if (!app || appType === 'web') return browser ?? app ?? unknown
  const version = appVersion && /^\d{1,4}(?:\.\d{1,5}){1,3}$/.test(appVersion) ? ` ${appVersion}` : ''
  return `${app}${version}`
}

function describeBrowser(userAgent: string, on: string): string | undefined {
  if (!userAgent) return undefined
  const parser = Bowser.getParser(userAgent)
  const browser = BROWSERS.get(parser.getBrowserName())
  const system = [parser.getOSName()].find((name) => SYSTEMS.has(name))
  return browser && system ? `${browser} ${on} ${system}` : (browser ?? system)
}

/** Returns the IP address if it is valid. */
export const describeAddress = (ip: string | null | undefined): string | undefined => (ip && isIP(ip) ? ip : undefined)
