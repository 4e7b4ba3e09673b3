/** The languages that the service speaks; the first is the fallback. */
export const LOCALES = ['en', 'ru'] as const
export type Locale = (typeof LOCALES)[number]

/**
 * The best of our languages for an `Accept-Language` header (RFC 9110, 12.5.4): by weight, then by order; `en` if neither.
 */
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
