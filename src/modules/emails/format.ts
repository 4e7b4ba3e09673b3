import type { Locale } from '../../kernel/i18n/locale.ts'
import { describeAddress, describeDevice } from './devices.ts'
import type { Instant, Origin } from './templates.ts'

/** How times and durations are written in one language; times are in UTC and translate so. */
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

/** Where a call came from, in our words and under the names of one language. */
export function originFacts(
  locale: Locale,
  labels: { device: string; ip: string; time: string },
  origin: Origin,
  time: (at: Instant) => string,
): [string, string][] {
  const ip = describeAddress(origin.ip)
  return [
    [labels.device, describeDevice(locale, origin)],
    ...(ip ? [[labels.ip, ip] as [string, string]] : []),
    [labels.time, time(origin.at)],
  ]
}
