import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../../kernel/config.ts'
import { AppError } from '../../kernel/errors.ts'
import { originMatcher } from '../../kernel/http/security.ts'

/**
 * The cookie by which a browser keeps its refresh token out of the reach of scripts (ASVS 3.3). It is sent to this path
 * only, which is why it cannot have the prefix `__Host-`; and never along with a request that another site began.
 */
export function createRefreshCookie(config: Pick<Config, 'production' | 'appUrl' | 'corsAllowedOrigins'>) {
  const isSecure = config.production || config.appUrl.startsWith('https:')
  const name = isSecure ? '__Secure-bukhindor_refresh' : 'bukhindor_refresh'
  const attributes = `Path=/api/v1/auth; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`
  const ownOrigin = new URL(config.appUrl).origin
  const isAllowed = originMatcher(config.corsAllowedOrigins)

  const set = (reply: FastifyReply, value: string, maxAge: number) =>
    reply.header('set-cookie', `${name}=${value}; Max-Age=${maxAge}; ${attributes}`)

  /** The browser says which site a request comes from (W3C Fetch Metadata); an old one at least from which origin. */
  function requireOwnSite({ headers }: FastifyRequest): void {
    const { origin, 'sec-fetch-site': site = 'same-site' } = headers
    if (site === 'same-origin') return
    if (site === 'same-site' && origin !== undefined && (origin === ownOrigin || isAllowed(origin))) return
    throw new AppError('cross_site_request', {
      detail: `The refresh cookie counts from ${ownOrigin} and from CORS_ALLOWED_ORIGINS on the same site only.`,
    })
  }

  /** The refresh token that came by cookie; null where none did. */
  function read(request: FastifyRequest): string | null {
    const values = (request.headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.trim())
      .filter((pair) => pair.startsWith(`${name}=`))
      .map((pair) => pair.slice(name.length + 1))
    const [token = ''] = values
    // Two of one name: a neighbouring host has planted one of them (RFC 6265, 8.6), and nothing says which.
    if (values.length !== 1 || !/^[\w-]{1,128}$/.test(token)) return null
    requireOwnSite(request)
    return token
  }

  /** Takes the cookie back from a browser that has sent it. */
  function clear(request: FastifyRequest, reply: FastifyReply): void {
    if (request.headers.cookie?.includes(`${name}=`)) set(reply, '', 0)
  }

  return {
    clear,
    /** Moves the refresh token of an answer from its body into the cookie. */
    deliver<T extends { refresh_token: string; refresh_expires_in: number }>(reply: FastifyReply, answer: T) {
      const { refresh_token: token, ...rest } = answer
      set(reply, token, answer.refresh_expires_in)
      return rest
    },
    /**
     * A `preValidation` of refresh: a token that came by cookie joins the body, so that limits and idempotency keys see
     * it, and the next one can only go by cookie. Throws AppError `cross_site_request`, and `refresh_invalid` where
     * there is no token at all.
     */
    async intoBody(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const body: unknown = request.body ?? {}
      if (typeof body !== 'object' || body === null || Array.isArray(body) || 'refresh_token' in body) return
      const token = read(request)
      if (token === null) {
        clear(request, reply)
        throw new AppError('refresh_invalid', { detail: 'There is no refresh_token in the body and none by cookie.' })
      }
      request.body = { ...body, refresh_token: token, delivery: 'cookie' }
    },
  }
}

export type RefreshCookie = ReturnType<typeof createRefreshCookie>
