/** Parsers of single environment values. They throw an Error that names the allowed values. */

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export const integer = (min: number, max: number) => (text: string) => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) throw new Error(`must be a whole number from ${min} to ${max}`)
  return value
}

/** Parses a duration such as `90s`, `15m`, `12h`, `30d` or `0`. Returns milliseconds. */
export const duration = (min: number, max: number) => (text: string) => {
  const [, amount, unit] = /^(\d{1,9})([smhd])$/.exec(text === '0' ? '0s' : text) ?? []
  const value = Number(amount) * UNITS[unit as keyof typeof UNITS]
  if (!unit || value < min || value > max)
    throw new Error(
      `must be a duration from ${showDuration(min)} to ${showDuration(max)}, such as 30s, 15m, 12h or 30d`,
    )
  return value
}

/** Formats a duration in milliseconds with the largest unit that divides it. */
export function showDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const)
    if (milliseconds >= UNITS[unit] && milliseconds % UNITS[unit] === 0) return `${milliseconds / UNITS[unit]}${unit}`
  return `${milliseconds / 1000}s`
}

export const oneOf =
  <const T extends string>(...values: T[]) =>
  (text: string): T => {
    if (!values.includes(text as T)) throw new Error(`must be one of ${values.join(', ')}`)
    return text as T
  }

export const flag = (text: string): boolean => oneOf('true', 'false', '1', '0')(text).match(/true|1/) !== null

export const list =
  <T>(parse: (text: string) => T) =>
  (text: string): T[] =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean)
      .map(parse)

/** Returns a URL without trailing slashes: http(s) or the scheme of an app, without query and fragment. */
export function url(text: string): string {
  const parsed = URL.canParse(text) ? new URL(text) : null
  if (!parsed || /^(javascript|data|file):$/.test(parsed.protocol) || parsed.search || parsed.hash)
    throw new Error('must be a URL such as https://api.example.org')
  return text.replace(/\/+$/, '')
}

/** Returns an origin `scheme://host[:port]`, http or https; the port and the first label of the host may be `*`. */
export function origin(text: string): string {
  if (!/^https?:\/\/(\*\.)?[a-z0-9.-]+(:(\d{1,5}|\*))?$|^https?:\/\/\[[0-9a-f:]+\](:(\d{1,5}|\*))?$/.test(text))
    throw new Error(
      `"${text}" is not an origin such as https://app.example.org, https://*.example.org or http://localhost:*`,
    )
  return text
}

/** Returns the name of a header field (RFC 9110, 5.1). */
export function headerName(text: string): string {
  if (!/^[!#$%&'*+.^_`|~\w-]{1,100}$/.test(text)) throw new Error(`"${text}" is not a header name such as X-Trace`)
  return text
}

export function postgresOrSqliteUrl(text: string): string {
  if (!/^(sqlite:.+|postgres(ql)?:\/\/.+)$/.test(text))
    throw new Error('must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME')
  if (!text.startsWith('sqlite:') && hasUnescapedCredentials(text))
    throw new Error(
      'user and password must be percent-encoded: / is %2F, ? is %3F, # is %23, % is %25, @ is %40, : is %3A',
    )
  return text
}

/** Whether reserved characters in user or password move the boundaries of the URL. A lone `@` does not. */
function hasUnescapedCredentials(url: string): boolean {
  const [, user = '', rest = ''] = /^\w+:\/\/(?:([^/?#]*)@)?(.*)$/s.exec(url) ?? []
  const [path = ''] = rest.split('?', 1)
  const queryWord = rest.slice(path.length).split('=', 1)[0] ?? ''
  return /%(?![0-9a-f]{2})/i.test(user) || rest.includes('#') || path.includes('@') || queryWord.includes('@')
}
