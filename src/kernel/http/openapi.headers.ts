import type { ErrorDefinition } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

/**
 * The headers of the API, each described once. None has an example: Swagger UI would send it, and a key of somebody
 * else's request, or the ETag of another object, changes what happens.
 */
export const REQUEST_HEADERS = {
  'Accept-Language': {
    schema: { type: 'string', maxLength: 1000 },
    description: 'The language of the sentences for people (`message`, `error`): `ru` or `en`, English by default.',
  },
  'Idempotency-Key': {
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    description:
      'Makes it safe to repeat the request: for 24 hours, the same key with the same request returns the first answer, ' +
      'with `Idempotency-Replayed: true`. Use a random UUID per intent, such as `8e03978e-40d5-43e8-bc93-6894a57f9324`, ' +
      'and keep it across retries. Printable ASCII.',
  },
  'If-Match': {
    schema: { type: 'string', maxLength: 100 },
    description:
      'The `ETag` of the version that you have seen, such as `"3"`: if the object has changed since, nothing is done and ' +
      'the answer is 412.',
  },
  'If-None-Match': {
    schema: { type: 'string', maxLength: 100 },
    description: 'The `ETag` of the version that you have, such as `"3"`: if it is still current, the answer is 304.',
  },
  'X-Device-ID': {
    schema: { type: 'string', maxLength: 200 },
    description: 'An id that the app has chosen for this device. Kept with the session, for its owner to recognize it.',
  },
  'X-Device-Token': {
    schema: { type: 'string', maxLength: 1024 },
    description:
      'The `device_token` of an earlier sign-in on this device. It proves that the device is known: its own login ' +
      'attempts are then not limited by those of strangers.',
  },
  'X-App-Type': {
    schema: { type: 'string', enum: ['ios', 'android', 'web', 'macos', 'windows', 'linux'] },
    description: 'The kind of app. Kept with the session.',
  },
  'X-App-Version': {
    schema: { type: 'string', maxLength: 40 },
    description: 'The version of the app, such as `1.4.0`. Kept with the session.',
  },
}

export const RESPONSE_HEADERS = {
  'X-Request-ID': {
    schema: { type: 'string' },
    description: 'The id of the request, which its log line and its audit events have too.',
    example: '018f3c5e-7d2a-7c1b-9f00-0123456789ab',
  },
  ETag: {
    schema: { type: 'string' },
    description: 'The version of the object, for `If-Match` and `If-None-Match`.',
    example: '"3"',
  },
  Location: {
    schema: { type: 'string', format: 'uri-reference' },
    description: 'The path of the object that was created.',
    example: '/api/v1/users/018f3c5e-7d2a-7c1b-9f00-0123456789ab',
  },
  'Set-Cookie': {
    schema: { type: 'string' },
    description:
      'The refresh token, where it travels as a cookie; on signing out, its removal. HttpOnly, SameSite=Strict.',
    example: 'bukhindor_refresh=…; Max-Age=2592000; Path=/api/v1/auth; HttpOnly; SameSite=Strict',
  },
  'Content-Disposition': {
    schema: { type: 'string' },
    description: 'The name under which a browser saves the file.',
    example: 'attachment; filename="bukhindor-export.json"',
  },
  'Idempotency-Replayed': {
    schema: { type: 'string', enum: ['true'] },
    description: 'Present when this is the answer to an earlier request with the same `Idempotency-Key`.',
  },
  'Retry-After': {
    schema: { type: 'integer', minimum: 1 },
    description: 'Seconds after which another try makes sense.',
    example: 1,
  },
  'RateLimit-Policy': {
    schema: { type: 'string' },
    description:
      'What is allowed: so many (`q`) in so many seconds (`w`); without `w`, delays grow after so many failures.',
    example: '"login";q=5',
  },
  RateLimit: {
    schema: { type: 'string' },
    description: 'How many are left (`r`), and in how many seconds there are more (`t`).',
    example: '"login";r=0;t=4',
  },
  'WWW-Authenticate': {
    schema: { type: 'string' },
    description: 'How to authenticate, and what was wrong with the token (RFC 6750, section 3).',
    example: 'Bearer realm="bukhindor", error="invalid_token", error_description="Access token expired"',
  },
}

type RequestHeader = keyof typeof REQUEST_HEADERS
type ResponseHeader = keyof typeof RESPONSE_HEADERS
/** What a route declares in `config.headers`; the general ones are added by themselves. */
export type RouteHeader = RequestHeader | ResponseHeader

const isRequestHeader = (name: RouteHeader): name is RequestHeader => name in REQUEST_HEADERS

/** Statuses that are given before limits are counted and idempotency keys looked at. */
const EARLY = [304, 408, 413, 414, 415, 431]
const RATE_LIMIT: ResponseHeader[] = ['RateLimit-Policy', 'RateLimit']

/** A session that is over takes its cookie along. */
const isSent = (name: ResponseHeader, status: number): boolean =>
  status < 300 || (name === 'Set-Cookie' && status === 401)

export interface HeaderContext {
  declared: readonly RouteHeader[]
  errors: Set<ErrorDefinition>
  /** A write that takes an idempotency key. */
  idempotent: boolean
}

export const requestHeaders = ({ declared, idempotent }: HeaderContext): RequestHeader[] => [
  ...(idempotent ? (['Idempotency-Key'] as const) : []),
  ...declared.filter(isRequestHeader),
  'Accept-Language',
]

export function responseHeaders(status: number, { declared, errors, idempotent }: HeaderContext): ResponseHeader[] {
  const own = [...errors].filter((error) => error.status === status)
  const isLate = status < 500 && !EARLY.includes(status)
  const isReplayed = idempotent && isLate && status !== 422 && status !== 429
  const waits = status === 429 || status === 503 || own.includes(kernelErrors.idempotency_in_progress)
  return [
    'X-Request-ID',
    ...declared.filter((name): name is ResponseHeader => !isRequestHeader(name) && isSent(name, status)),
    ...(status === 304 ? (['ETag'] as const) : []),
    ...(status === 401 ? (['WWW-Authenticate'] as const) : []),
    // Also on a 5xx: what is counted may fail later.
    ...([...errors].some((error) => error.status === 429) && !EARLY.includes(status) ? RATE_LIMIT : []),
    ...(waits ? (['Retry-After'] as const) : []),
    ...(isReplayed ? (['Idempotency-Replayed'] as const) : []),
  ]
}
