import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../config.ts'

/** What every answer carries. An API answer is never a page, so nothing may load from it (ASVS 3.2.1, 3.4). */
const FIXED = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

const HSTS = 'max-age=63072000; includeSubDomains' // RFC 6797; two years

const CORS_ALLOWED = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'access-control-allow-headers':
    'Authorization, Content-Type, Accept-Language, If-Match, If-None-Match, Idempotency-Key, X-Request-ID, X-Device-ID, X-Device-Token, X-App-Type, X-App-Version',
  'access-control-max-age': '7200',
}
const CORS_EXPOSED =
  'ETag, Retry-After, RateLimit, RateLimit-Policy, X-Request-ID, WWW-Authenticate, Location, Idempotency-Replayed'

/** The policy of the interactive documentation: its own files, nothing inline (ASVS 3.4.3). */
export const DOCS_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"

/** Security headers for every answer, and CORS by the allow-list (Fetch standard, 3.3). */
export function createSecurity(config: Pick<Config, 'production' | 'corsAllowedOrigins'>) {
  const fixed: Record<string, string> = config.production ? { ...FIXED, 'strict-transport-security': HSTS } : FIXED
  const isAllowed = originMatcher(config.corsAllowedOrigins)

  function write(request: FastifyRequest, reply: FastifyReply): void {
    reply.headers(fixed)
    reply.header('x-request-id', request.id)
    reply.header('vary', 'Origin')
    const { origin } = request.headers
    if (origin !== undefined && isAllowed(origin)) {
      reply.header('access-control-allow-origin', origin)
      reply.header('access-control-allow-credentials', 'true')
      reply.header('access-control-expose-headers', CORS_EXPOSED)
    }
  }

  return {
    /** What an answer carries that is written without a reply. */
    fixed,
    /** For answers that are given before any hook has run. */
    write,
    /** Writes them on every other answer, and answers preflights. */
    add(app: FastifyInstance): void {
      app.addHook('onRequest', (request, reply, done) => {
        write(request, reply)
        const { origin } = request.headers
        if (request.method === 'OPTIONS' && origin && request.headers['access-control-request-method']) {
          if (isAllowed(origin)) reply.headers(CORS_ALLOWED)
          reply.code(204).send()
          return
        }
        done()
      })
    },
  }
}

/** Matches origins against a list, in which a port or the leading label may be `*`. Exact otherwise. */
export function originMatcher(allowed: string[]): (origin: string) => boolean {
  const patterns = allowed.map((entry) => {
    const escaped = entry.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    const source = escaped.replace('//\\*\\.', '//[a-z0-9-]+\\.').replace(/:\\\*$/, '(:\\d{1,5})?')
    return new RegExp(`^${source}$`)
  })
  return (origin) => origin.length < 300 && patterns.some((pattern) => pattern.test(origin))
}
