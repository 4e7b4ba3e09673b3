import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

export interface SecurityConfig {
  production: boolean
  corsAllowedOrigins: string[]
  corsAllowedHeaders: string[]
}

/** What every answer carries. An API answer is never a page, so nothing may load from it (ASVS 3.2.1, 3.4). */
const FIXED = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const HSTS = 'max-age=63072000; includeSubDomains' // RFC 6797; two years

/** What the app sends, and what the libraries of the field add by themselves: tracing, caches, HTTP clients. */
const CORS_ALLOWED_HEADERS = [
  ...['Authorization', 'Content-Type', 'Accept-Language', 'If-Match', 'If-None-Match', 'If-Modified-Since'],
  ...['Cache-Control', 'Idempotency-Key', 'X-Request-ID', 'X-Requested-With'],
  ...['X-Device-ID', 'X-App-Type', 'X-App-Version'],
  ...['traceparent', 'tracestate', 'baggage', 'sentry-trace'],
]
const CORS_EXPOSED = [
  ...['ETag', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-ID', 'WWW-Authenticate', 'Location'],
  ...['Idempotency-Replayed', 'Content-Disposition'],
].join(', ')

/** The policy of the interactive documentation: its own files, nothing inline (ASVS 3.4.3). */
export const DOCS_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

/**
 * Security headers for every answer, and CORS by the allow-list (Fetch standard, 3.3).
 * @param requestHeaders those of modules that pages of other origins may send
 */
export function createSecurity(config: SecurityConfig, requestHeaders: readonly string[]) {
  const fixed: Record<string, string> = config.production ? { ...FIXED, 'strict-transport-security': HSTS } : FIXED
  const isAllowed = originMatcher(config.corsAllowedOrigins)
  const preflight = {
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': [...CORS_ALLOWED_HEADERS, ...requestHeaders, ...config.corsAllowedHeaders].join(
      ', ',
    ),
    'access-control-max-age': '7200',
  }

  /**
   * The headers by which a page of an allowed origin may read an answer; none for others.
   * @param ifUnknown stands in for an origin that is not known, where any origin is allowed at all
   */
  function corsFor(origin: string | undefined, ifUnknown?: '*'): Record<string, string> {
    if (origin === undefined && ifUnknown && config.corsAllowedOrigins.length > 0)
      return { 'access-control-allow-origin': ifUnknown, 'access-control-expose-headers': CORS_EXPOSED }
    if (origin === undefined || !isAllowed(origin)) return {}
    return {
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': CORS_EXPOSED,
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
    /** What an answer carries that is written without a reply. */
    fixed,
    corsFor,
    /** For answers that are given before any hook has run. */
    write,
    /** The further headers of the answer to a preflight from an origin; none for one that is not allowed. */
    preflightFor: (origin: string): Record<string, string> => (isAllowed(origin) ? preflight : {}),
  }
}

export type Security = ReturnType<typeof createSecurity>

/** Writes them on every answer, and answers preflights. */
export const securityHeaders = fp<{ security: Security }>(
  async (app, { security }) => {
    app.addHook('onRequest', (request, reply, done) => {
      security.write(request, reply)
      const { origin } = request.headers
      if (request.method !== 'OPTIONS' || !origin || !request.headers['access-control-request-method']) return done()
      // A preflight ends here: it is about a route, and is for none.
      reply.headers(security.preflightFor(origin)).code(204).send()
    })
  },
  { name: 'security-headers', fastify: '5.x' },
)

/** Matches origins against a list, in which a port or the leading label may be `*`. Exact otherwise. */
export function originMatcher(allowed: string[]): (origin: string) => boolean {
  const patterns = allowed.map((entry) => {
    const escaped = entry.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    const source = escaped.replace('//\\*\\.', '//[a-z0-9-]+\\.').replace(/:\\\*$/, '(:\\d{1,5})?')
    return new RegExp(`^${source}$`)
  })
  return (origin) => origin.length < 300 && patterns.some((pattern) => pattern.test(origin))
}
