/** The supported languages; the first is the default. */
export const LOCALES = ['en', 'ru'] as const
export type Locale = (typeof LOCALES)[number]

/** Returns the best supported language for an `Accept-Language` header (RFC 9110, 12.5.4), `en` by default. */
export function negotiateLocale(header: string | undefined): Locale {
  if (!header) return 'en'
  let best: Locale = 'en'
  let bestWeight = 0
  for (const part of header.slice(0, 256).split(',')) {
    const [range = '', ...parameters] = part.trim().toLowerCase().split(';')
    const primary = range.trim().split('-')[0]
    const locale = primary === '*' ? 'en' : LOCALES.find((known) => known === primary)
    const weight = Number(parameters.find((p) => p.trim().startsWith('q='))?.split('=')[1] ?? 1)
    if (locale && weight > bestWeight) {
      best = locale
      bestWeight = weight
    }
  }
  return best
}
