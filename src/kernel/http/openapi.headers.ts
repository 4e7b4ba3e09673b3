import type { ErrorDefinition } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

/**
 * The headers of the API, each described once. None has an example: Swagger UI would send it, and a key of somebody
 * else's request, or the ETag of another object, changes what happens.
 */
export const REQUEST_HEADERS = {
  'Accept-Language': {
    schema: { type: 'string', maxLength: 1000 },
    description: 'The language of `message` and `error`: `ru` or `en`, English by default.',
  },
  'Idempotency-Key': {
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    description:
      'Makes the request safe to retry: for 24 hours, the same key with the same request returns the first response, ' +
      'with `Idempotency-Replayed: true`. Use a random UUID per operation, such as ' +
      '`8e03978e-40d5-43e8-bc93-6894a57f9324`, and keep it across retries. Printable ASCII.',
  },
  'If-Match': {
    schema: { type: 'string', maxLength: 100 },
    description:
      'The `ETag` of the version that you have read, such as `"3"`. If the object has changed since, the request fails ' +
      'with 412.',
  },
  'If-None-Match': {
    schema: { type: 'string', maxLength: 100 },
    description: 'The `ETag` of the version that you have, such as `"3"`. If it is still current, the response is 304.',
  },
  'X-Device-ID': {
    schema: { type: 'string', maxLength: 200 },
    description:
      'An ID that the app chooses for this device. Stored with the session, so that the user recognizes the device.',
  },
  'X-Device-Token': {
    schema: { type: 'string', maxLength: 1024 },
    description:
      'The `device_token` of an earlier sign-in on this device. It proves that the device is known: failed sign-ins on ' +
      'other devices then do not count towards its limit.',
  },
  'X-App-Type': {
    schema: { type: 'string', enum: ['ios', 'android', 'web', 'macos', 'windows', 'linux'] },
    description: 'The platform of the app. Stored with the session.',
  },
  'X-App-Version': {
    schema: { type: 'string', maxLength: 40 },
    description: 'The version of the app, such as `1.4.0`. Stored with the session.',
  },
}

export const RESPONSE_HEADERS = {
  'X-Request-ID': {
    schema: { type: 'string' },
    description: 'The ID of the request, as in its log entry and its audit events.',
    example: '018f3c5e-7d2a-7c1b-9f00-0123456789ab',
  },
  ETag: {
    schema: { type: 'string' },
    description: 'The version of the object, for `If-Match` and `If-None-Match`.',
    example: '"3"',
  },
  Location: {
    schema: { type: 'string', format: 'uri-reference' },
    description: 'The path of the created object.',
    example: '/api/v1/users/018f3c5e-7d2a-7c1b-9f00-0123456789ab',
  },
  'Set-Cookie': {
    schema: { type: 'string' },
    description: 'The refresh token, if it is delivered as a cookie; removed on sign-out. HttpOnly, SameSite=Strict.',
    example: 'bukhindor_refresh=…; Max-Age=2592000; Path=/api/v1/auth; HttpOnly; SameSite=Strict',
  },
  'Content-Disposition': {
    schema: { type: 'string' },
    description: 'The file name that a browser suggests for saving.',
    example: 'attachment; filename="bukhindor-export.json"',
  },
  'Idempotency-Replayed': {
    schema: { type: 'string', enum: ['true'] },
    description: 'Present if this is the stored response to an earlier request with the same `Idempotency-Key`.',
  },
  'Retry-After': {
    schema: { type: 'integer', minimum: 1 },
    description: 'Seconds to wait before retrying.',
    example: 1,
  },
  'RateLimit-Policy': {
    schema: { type: 'string' },
    description: 'The limit: `q` requests per `w` seconds. Without `w`, the delay grows after `q` failures.',
    example: '"login";q=5',
  },
  RateLimit: {
    schema: { type: 'string' },
    description: 'The remaining requests (`r`) and the seconds until more are available (`t`).',
    example: '"login";r=0;t=4',
  },
  'WWW-Authenticate': {
    schema: { type: 'string' },
    description: 'How to authenticate, and why the token was rejected (RFC 6750, section 3).',
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
