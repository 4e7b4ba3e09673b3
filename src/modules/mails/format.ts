import type { Locale } from '../../kernel/i18n.ts'
import type { Instant, Origin } from './letters.ts'

const LONGEST_FACT = 120
const LONGEST_NAME = 64
const APPS: Record<string, string> = {
  ios: 'iOS',
  android: 'Android',
  web: 'Web',
  macos: 'macOS',
  windows: 'Windows',
  linux: 'Linux',
}

/** How times and durations are written in one language; times are in UTC and say so. */
export function formats(locale: Locale) {
  // British English, because 24 hours cannot be misread as half a day.
  const dates = new Intl.DateTimeFormat(locale === 'en' ? 'en-GB' : locale, {
    dateStyle: 'long',
    timeStyle: 'short',
    timeZone: 'UTC',
  })
  const unit = (name: 'hour' | 'minute') =>
    new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'long' })
  const hours = unit('hour')
  const minutes = unit('minute')
  return {
    time: (at: Instant) => `${dates.format(new Date(at))} UTC`,
    duration: (seconds: number) => (seconds % 3600 ? minutes.format(seconds / 60) : hours.format(seconds / 3600)),
  }
}

/** `a…@example.org`: enough for its owner to recognise, too little for whoever reads the old mailbox by now. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return `${[...email.slice(0, at)][0] ?? ''}…${email.slice(at)}`
}

/**
 * The name to greet with, or nothing: whoever registers a stranger's address must not be able to send that stranger a
 * link or an advertisement of their own in our mail.
 */
export function greetingName(name: string): string | undefined {
  const linkLike = /[/@]|www\.|\.\p{L}{2}/iu.test(name)
  return linkLike || [...name].length > LONGEST_NAME ? undefined : name || undefined
}

/** The rows that are known of where a call came from, under the names of one language. */
export function originFacts(
  labels: { device: string; app: string; ip: string; time: string },
  origin: Origin,
  time: (at: Instant) => string,
): [string, string][] {
  const appType = origin.appType ?? ''
  const rows: [string, string | null | undefined][] = [
    [labels.device, origin.device],
    [labels.app, APPS[appType] ?? appType],
    [labels.ip, origin.ip],
    [labels.time, time(origin.at)],
  ]
  return rows.flatMap(([label, value]) => (value ? [[label, shorten(value)] as [string, string]] : []))
}

function shorten(value: string): string {
  const letters = [...value]
  return letters.length > LONGEST_FACT ? `${letters.slice(0, LONGEST_FACT - 1).join('')}…` : value
}
