import { parseCookie, stringifySetCookie } from 'cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../../kernel/errors/app-error.ts'
import { originMatcher } from '../../kernel/http/plugins/security-headers.ts'
import { SECOND } from '../../kernel/lib/clock.ts'
import type { Config } from '../../settings/config.ts'
import { DEVICE_RETENTION_MS } from '../rate-limits/policies.ts'
import { sessionsErrors } from '../sessions/sessions.errors.ts'
import { authErrors } from './auth.errors.ts'

const PATH = '/api/v1/auth'
/** People who share a browser each have a device of their own; the cookie holds the tokens of the latest. */
const MAX_DEVICE_TOKENS = 4

/** What signing in gives, as far as cookies take it out of the body. */
interface Delivered {
  refresh_token: string
  device_token: string
  refresh_expires_in: number
}

/**
 * The cookies by which a browser keeps its refresh token and its device token out of the reach of scripts (ASVS 3.3).
 * They are sent to this path only, which is why they cannot have the prefix `__Host-`; and never along with a request
 * that another site began.
 */
export function createRefreshCookie(config: Pick<Config, 'production' | 'appUrl' | 'corsAllowedOrigins'>) {
  const isSecure = config.production || config.appUrl.startsWith('https:')
  const prefix = isSecure ? '__Secure-' : ''
  const name = `${prefix}bukhindor_refresh`
  const deviceName = `${prefix}bukhindor_device`
  const ownOrigin = new URL(config.appUrl).origin
  const isAllowed = originMatcher(config.corsAllowedOrigins)

  const set = (reply: FastifyReply, name: string, value: string, maxAge: number) =>
    reply.header(
      'set-cookie',
      stringifySetCookie({ name, value, maxAge, path: PATH, httpOnly: true, sameSite: 'strict', secure: isSecure }),
    )

  /** The browser says which site a request comes from (W3C Fetch Metadata); an old one at least from which origin. */
  function isOwnSite({ headers }: FastifyRequest): boolean {
    const { origin, 'sec-fetch-site': site = 'same-site' } = headers
    if (site === 'same-origin') return true
    return site === 'same-site' && origin !== undefined && (origin === ownOrigin || isAllowed(origin))
  }

  /** The value of a cookie; null where none came, or one that cannot be ours. */
  function read(request: FastifyRequest, name: string, pattern: RegExp): string | null {
    const header = request.headers.cookie ?? ''
    // Two of one name: a neighbouring host has planted one of them (RFC 6265, 8.6), and nothing says which.
    if (header.split(';').filter((pair) => pair.trimStart().startsWith(`${name}=`)).length !== 1) return null
    const value = parseCookie(header)[name] ?? ''
    return pattern.test(value) ? value : null
  }

  /** The refresh token that came by cookie; null where none did. */
  function refreshToken(request: FastifyRequest): string | null {
    const token = read(request, name, /^[\w-]{1,128}$/)
    if (token !== null && !isOwnSite(request))
      throw new AppError(authErrors.cross_site_request, {
        detail: `The refresh cookie is accepted only from ${ownOrigin} and from CORS_ALLOWED_ORIGINS on the same site.`,
      })
    return token
  }

  /** The device tokens that came by cookie. Another site can have it sent, but not count. */
  function deviceTokens(request: FastifyRequest): string[] {
    const tokens = read(request, deviceName, /^[\w-]{1,128}(\.[\w-]{1,128}){0,7}$/)
    return tokens !== null && isOwnSite(request) ? tokens.split('.').slice(0, MAX_DEVICE_TOKENS) : []
  }

  function setDevice(request: FastifyRequest, reply: FastifyReply, token: string): void {
    const others = deviceTokens(request).filter((other) => other !== token)
    set(reply, deviceName, [token, ...others].slice(0, MAX_DEVICE_TOKENS).join('.'), DEVICE_RETENTION_MS / SECOND)
  }

  /** Takes the refresh cookie back from a browser that has sent it. */
  function clear(request: FastifyRequest, reply: FastifyReply): void {
    if (request.headers.cookie?.includes(`${name}=`)) set(reply, name, '', 0)
  }

  /**
   * Writes the cookies of an answer, and gives what is left for its body. A browser on the origin of the service gets
   * the device cookie in any case: by it, all its tabs are known as one.
   */
  function deliver<T extends Delivered>(request: FastifyRequest, reply: FastifyReply, answer: T, delivery: unknown) {
    const { refresh_token, device_token, ...rest } = answer
    const byCookie = delivery === 'cookie'
    if (byCookie) set(reply, name, refresh_token, answer.refresh_expires_in)
    if (byCookie || request.headers['sec-fetch-site'] === 'same-origin') setDevice(request, reply, device_token)
    return byCookie ? rest : answer
  }

  /**
   * A `preHandler`: a cookie is asked for, and the browser would drop it without a word, or not send it again. Other
   * clients than browsers tell nothing of where they are. Throws AppError `cookie_not_deliverable`.
   */
  async function requireDeliverable(request: FastifyRequest): Promise<void> {
    if ((request.body as { delivery?: unknown } | null)?.delivery !== 'cookie') return
    const { origin, 'sec-fetch-site': site } = request.headers
    const keepsIt = request.headers.cookie?.includes(`${name}=`)
    if (keepsIt || (origin === undefined && site === undefined)) return
    const isInsecure = isSecure && origin !== undefined && /^http:\/\/(?!localhost\b|127\.|\[::1\])/.test(origin)
    if (!isInsecure && isOwnSite(request)) return
    throw new AppError(authErrors.cookie_not_deliverable, {
      detail: isInsecure
        ? `The cookie requires HTTPS, and ${origin} does not use it. Use HTTPS, or "delivery": "body".`
        : `The cookie works only on ${ownOrigin} and on CORS_ALLOWED_ORIGINS of the same site; this request ` +
          `comes from ${origin ?? 'elsewhere'}${site === undefined ? '' : ` (Sec-Fetch-Site: ${site})`}. Serve the app ` +
          'there, or use "delivery": "body".',
    })
  }

  /**
   * A `preValidation` of refresh: a token that came by cookie joins the body, so that limits and idempotency keys see
   * it, and the next one can only go by cookie. Throws AppError `cross_site_request`, and `refresh_invalid` where
   * there is no token at all.
   */
  async function intoBody(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const body: unknown = request.body ?? {}
    if (typeof body !== 'object' || body === null || Array.isArray(body) || 'refresh_token' in body) return
    const token = refreshToken(request)
    if (token === null) {
      clear(request, reply)
      throw new AppError(sessionsErrors.refresh_invalid, {
        detail: 'The request has no refresh token: neither refresh_token in the body nor a refresh cookie.',
      })
    }
    request.body = { ...body, refresh_token: token, delivery: 'cookie' }
  }

  return {
    clear,
    deviceTokens,
    setDevice,
    deliver,
    requireDeliverable,
    intoBody,
  }
}

export type RefreshCookie = ReturnType<typeof createRefreshCookie>
