import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

export interface SecurityConfig {
  production: boolean
  corsAllowedOrigins: string[]
  corsAllowedHeaders: string[]
}

/** Headers of every response. API responses are not pages, so they may load nothing (ASVS 3.2.1, 3.4). */
const FIXED_HEADERS = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const HSTS = 'max-age=63072000; includeSubDomains' // RFC 6797; two years

/** Headers that the app sends, and that tracing libraries and HTTP clients add. */
const CORS_ALLOWED_HEADERS = [
  ...['Authorization', 'Content-Type', 'Accept-Language', 'If-Match', 'If-None-Match', 'If-Modified-Since'],
  ...['Cache-Control', 'Idempotency-Key', 'X-Request-ID', 'X-Requested-With'],
  ...['X-Device-ID', 'X-App-Type', 'X-App-Version'],
  ...['traceparent', 'tracestate', 'baggage', 'sentry-trace'],
]
const CORS_EXPOSED_HEADERS = [
  ...['ETag', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-ID', 'WWW-Authenticate', 'Location'],
  ...['Idempotency-Replayed', 'Content-Disposition'],
].join(', ')

/** Content security policy of the interactive documentation: own files, nothing inline (ASVS 3.4.3). */
export const DOCS_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

/**
 * Creates the security headers of responses, and CORS headers by the allow-list (Fetch standard, 3.3).
 * @param requestHeaders request headers of modules that CORS allows
 * @see docs/decisions/0007-own-headers-and-cors.md
 */
export function createSecurity(config: SecurityConfig, requestHeaders: readonly string[]) {
  const fixed: Record<string, string> = config.production
    ? { ...FIXED_HEADERS, 'strict-transport-security': HSTS }
    : FIXED_HEADERS
  const isAllowed = originMatcher(config.corsAllowedOrigins)
  const preflight = {
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': [...CORS_ALLOWED_HEADERS, ...requestHeaders, ...config.corsAllowedHeaders].join(
      ', ',
    ),
    'access-control-max-age': '7200',
  }

  /**
   * Returns the CORS headers for an allowed origin; none for others.
   * @param ifUnknown the value for a missing origin, if any origin is allowed
   */
  function corsFor(origin: string | undefined, ifUnknown?: '*'): Record<string, string> {
    if (origin === undefined && ifUnknown && config.corsAllowedOrigins.length > 0)
      return { 'access-control-allow-origin': ifUnknown, 'access-control-expose-headers': CORS_EXPOSED_HEADERS }
    if (origin === undefined || !isAllowed(origin)) return {}
    return {
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': CORS_EXPOSED_HEADERS,
    }
  }

  function write(request: FastifyRequest, reply: FastifyReply): void {
    reply.headers(fixed)
    reply.header('x-request-id', request.id)
    reply.header('vary', 'Origin')
    const { origin } = request.headers
    if (origin !== undefined) reply.headers(corsFor(origin))
  }

  return {
    /** For responses that are written to a socket. */
    fixed,
    corsFor,
    /** Sets the headers of a reply, also before hooks have run. */
    write,
    /** Returns the additional headers of the response to a preflight; none if the origin is not allowed. */
    preflightFor: (origin: string): Record<string, string> => (isAllowed(origin) ? preflight : {}),
  }
}

export type Security = ReturnType<typeof createSecurity>

/** Sets the headers of responses, and responds to preflight requests. */
export const securityHeaders = fp<{ security: Security }>(
  async (app, { security }) => {
    app.addHook('onRequest', (request, reply, done) => {
      security.write(request, reply)
      const { origin } = request.headers
      if (request.method !== 'OPTIONS' || !origin || !request.headers['access-control-request-method']) return done()
      // A preflight request ends here, without a route.
      reply.headers(security.preflightFor(origin)).code(204).send()
    })
  },
  { name: 'security-headers', fastify: '5.x' },
)

/** Returns a function that matches origins against a list, where the port or the leading label may be `*`. */
export function originMatcher(allowed: string[]): (origin: string) => boolean {
  const patterns = allowed.map((entry) => {
    const escaped = entry.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    const source = escaped.replace('//\\*\\.', '//[a-z0-9-]+\\.').replace(/:\\\*$/, '(:\\d{1,5})?')
    return new RegExp(`^${source}$`)
  })
  return (origin) => origin.length < 300 && patterns.some((pattern) => pattern.test(origin))
}
