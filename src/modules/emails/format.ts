import type { Locale } from '../../kernel/i18n/locale.ts'
import { describeAddress, describeDevice } from './devices.ts'
import type { Instant, SignInOrigin } from './templates.ts'

/** Returns the formatters of one language. Times are in UTC and marked as such. */
export function formats(locale: Locale) {
  // British English uses the 24-hour clock.
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

/** Returns `a…@example.org`: the owner recognizes it, but other readers of the old mailbox do not learn the address. */
export function maskEmail(email: string): string {
  const at = email.lastIndexOf('@')
  return `${[...email.slice(0, at)][0] ?? ''}…${email.slice(at)}`
}

/** Returns the device, IP address and time of a request as labeled facts. */
export function originFacts(
  locale: Locale,
  labels: { device: string; ip: string; time: string },
  origin: SignInOrigin,
  time: (at: Instant) => string,
): [string, string][] {
  const ip = describeAddress(origin.ip)
  return [
    [labels.device, describeDevice(locale, origin)],
    ...(ip ? [[labels.ip, ip] as [string, string]] : []),
    [labels.time, time(origin.at)],
  ]
}
