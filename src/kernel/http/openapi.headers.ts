import type { ErrorDefinition } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

/** A header of the API; a component of the OpenAPI document. */
export interface HeaderDefinition {
  name: string
  in: 'request' | 'response'
  schema: object
  description: string
  /** For response headers only: Swagger UI would send the example of a request header. */
  example?: unknown
  /** The error statuses that also have it; successes always do. */
  statuses?: readonly number[]
}

/** Declares headers by their names, in the module that reads or sends them. */
export function defineHeaders<const K extends string>(
  headers: Record<K, Omit<HeaderDefinition, 'name'>>,
): Readonly<Record<K, HeaderDefinition>> {
  const entries = Object.entries(headers) as [K, Omit<HeaderDefinition, 'name'>][]
  const definitions: [string, HeaderDefinition][] = entries.map(([name, rest]) => [name, { name, ...rest }])
  return Object.fromEntries(definitions) as Record<K, HeaderDefinition>
}

const HEADERS = defineHeaders({
  'Accept-Language': {
    in: 'request',
    schema: { type: 'string', maxLength: 1000 },
    description: 'The language of `message` and `error`: `ru` or `en`, English by default.',
  },
  'Idempotency-Key': {
    in: 'request',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
    description:
      'Makes the request safe to retry: for 24 hours, the same key with the same request returns the first response, ' +
      'with `Idempotency-Replayed: true`. Use a random UUID per operation, such as ' +
      '`8e03978e-40d5-43e8-bc93-6894a57f9324`, and keep it across retries. Printable ASCII.',
  },
  'If-Match': {
    in: 'request',
    schema: { type: 'string', maxLength: 100 },
    description:
      'The `ETag` of the version that you have read, such as `"3"`. If the object has changed since, the request fails ' +
      'with 412.',
  },
  'If-None-Match': {
    in: 'request',
    schema: { type: 'string', maxLength: 100 },
    description: 'The `ETag` of the version that you have, such as `"3"`. If it is still current, the response is 304.',
  },
  'X-Device-ID': {
    in: 'request',
    schema: { type: 'string', maxLength: 200 },
    description:
      'An ID that the app chooses for this device. Stored with the session, so that the user recognizes the device.',
  },
  'X-App-Type': {
    in: 'request',
    schema: { type: 'string', enum: ['ios', 'android', 'web', 'macos', 'windows', 'linux'] },
    description: 'The platform of the app. Stored with the session.',
  },
  'X-App-Version': {
    in: 'request',
    schema: { type: 'string', maxLength: 40 },
    description: 'The version of the app, such as `1.4.0`. Stored with the session.',
  },
  'X-Request-ID': {
    in: 'response',
    schema: { type: 'string' },
    description: 'The ID of the request, as in its log entry and its audit events.',
    example: '018f3c5e-7d2a-7c1b-9f00-0123456789ab',
  },
  ETag: {
    in: 'response',
    schema: { type: 'string' },
    description: 'The version of the object, for `If-Match` and `If-None-Match`.',
    example: '"3"',
  },
  Location: {
    in: 'response',
    schema: { type: 'string', format: 'uri-reference' },
    description: 'The path of the created object.',
    example: '/api/v1/things/018f3c5e-7d2a-7c1b-9f00-0123456789ab',
  },
  'Content-Disposition': {
    in: 'response',
    schema: { type: 'string' },
    description: 'The file name that a browser suggests for saving.',
    example: 'attachment; filename="export.json"',
  },
  'Idempotency-Replayed': {
    in: 'response',
    schema: { type: 'string', enum: ['true'] },
    description: 'Present if this is the stored response to an earlier request with the same `Idempotency-Key`.',
  },
  'Retry-After': {
    in: 'response',
    schema: { type: 'integer', minimum: 1 },
    description: 'Seconds to wait before retrying.',
    example: 1,
  },
  'RateLimit-Policy': {
    in: 'response',
    schema: { type: 'string' },
    description: 'The limit: `q` requests per `w` seconds. Without `w`, the delay grows after `q` failures.',
    example: '"default";q=100;w=60',
  },
  RateLimit: {
    in: 'response',
    schema: { type: 'string' },
    description: 'The remaining requests (`r`) and the seconds until more are available (`t`).',
    example: '"default";r=0;t=4',
  },
  'WWW-Authenticate': {
    in: 'response',
    schema: { type: 'string' },
    description: 'How to authenticate, and why the token was rejected (RFC 6750, section 3).',
    example: 'Bearer realm="bukhindor", error="invalid_token", error_description="Access token expired"',
  },
})

/** A header in `config.headers` of a route: the name of a kernel header, or a header of a module. */
export type RouteHeader = keyof typeof HEADERS | HeaderDefinition

/** Statuses that are sent before rate limits and idempotency keys are checked. */
const EARLY_STATUSES = [304, 408, 413, 414, 415, 431]

interface HeaderContext {
  declared: readonly RouteHeader[]
  errors: Set<ErrorDefinition>
  /** Whether the route accepts an idempotency key. */
  idempotent: boolean
}

/** Returns the request headers of a route, and a function from status to response headers. */
export function headersOf({ declared, errors, idempotent }: HeaderContext) {
  const own = declared.map((header) => (typeof header === 'string' ? HEADERS[header] : header))
  const request = [
    ...(idempotent ? [HEADERS['Idempotency-Key']] : []),
    ...own.filter((header) => header.in === 'request'),
    HEADERS['Accept-Language'],
  ]
  const isLimited = [...errors].some(({ status }) => status === 429)

  function responseHeaders(status: number): HeaderDefinition[] {
    const reasons = [...errors].filter((error) => error.status === status)
    const isAfterLimits = status < 500 && !EARLY_STATUSES.includes(status)
    const isReplayed = idempotent && isAfterLimits && status !== 422 && status !== 429
    const hasRetryAfter = status === 429 || status === 503 || reasons.includes(kernelErrors.idempotency_in_progress)
    return [
      HEADERS['X-Request-ID'],
      ...own.filter((header) => header.in === 'response' && (status < 300 || header.statuses?.includes(status))),
      ...(status === 304 ? [HEADERS.ETag] : []),
      ...(status === 401 ? [HEADERS['WWW-Authenticate']] : []),
      // Also on 5xx: a counted request may fail later.
      ...(isLimited && !EARLY_STATUSES.includes(status) ? [HEADERS['RateLimit-Policy'], HEADERS.RateLimit] : []),
      ...(hasRetryAfter ? [HEADERS['Retry-After']] : []),
      ...(isReplayed ? [HEADERS['Idempotency-Replayed']] : []),
    ]
  }

  return { request, responseHeaders, all: [...own, ...Object.values(HEADERS)] }
}
