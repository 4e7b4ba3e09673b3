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
/** Users who share a browser each have a device; the cookie contains the most recent ones. */
const MAX_DEVICE_TOKENS = 4

/** The members of a response that cookies may replace. */
interface DeliverableTokens {
  refresh_token: string
  device_token: string
  refresh_expires_in: number
}

/**
 * Cookies for the refresh token and the device token, which scripts cannot read (ASVS 3.3). They are limited to PATH,
 * so they cannot have the prefix `__Host-`, and are not sent with cross-site requests.
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

  /**
   * Returns whether a request comes from an allowed origin on the same site, by Sec-Fetch-Site (W3C Fetch Metadata), or
   * by Origin in browsers without it.
   */
  function isOwnSite({ headers }: FastifyRequest): boolean {
    const { origin, 'sec-fetch-site': site = 'same-site' } = headers
    if (site === 'same-origin') return true
    return site === 'same-site' && origin !== undefined && (origin === ownOrigin || isAllowed(origin))
  }

  /** Returns the value of a cookie, or null if it is absent or malformed. */
  function read(request: FastifyRequest, name: string, pattern: RegExp): string | null {
    const header = request.headers.cookie ?? ''
    // With two cookies of one name, another host has set one of them (RFC 6265, 8.6); which one is unknown.
    if (header.split(';').filter((pair) => pair.trimStart().startsWith(`${name}=`)).length !== 1) return null
    const value = parseCookie(header)[name] ?? ''
    return pattern.test(value) ? value : null
  }

  /** Returns the refresh token from the cookie, or null. Throws AppError `cross_site_request`. */
  function refreshToken(request: FastifyRequest): string | null {
    const token = read(request, name, /^[\w-]{1,128}$/)
    if (token !== null && !isOwnSite(request))
      throw new AppError(authErrors.cross_site_request, {
        detail: `The refresh cookie is accepted only from ${ownOrigin} and from CORS_ALLOWED_ORIGINS on the same site.`,
      })
    return token
  }

  /** Returns the device tokens from the cookie. Cross-site requests have none. */
  function deviceTokens(request: FastifyRequest): string[] {
    const tokens = read(request, deviceName, /^[\w-]{1,128}(\.[\w-]{1,128}){0,7}$/)
    return tokens !== null && isOwnSite(request) ? tokens.split('.').slice(0, MAX_DEVICE_TOKENS) : []
  }

  function setDevice(request: FastifyRequest, reply: FastifyReply, token: string): void {
    const others = deviceTokens(request).filter((other) => other !== token)
    set(reply, deviceName, [token, ...others].slice(0, MAX_DEVICE_TOKENS).join('.'), DEVICE_RETENTION_MS / SECOND)
  }

  /** Removes the refresh cookie from a browser that has sent it. */
  function clear(request: FastifyRequest, reply: FastifyReply): void {
    if (request.headers.cookie?.includes(`${name}=`)) set(reply, name, '', 0)
  }

  /**
   * Sets the cookies of a response and returns its body. The device cookie is also set for same-origin requests without
   * cookie delivery: it identifies the tabs of one browser.
   */
  function deliver<T extends DeliverableTokens>(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: T,
    delivery: unknown,
  ) {
    const { refresh_token, device_token, ...rest } = answer
    const byCookie = delivery === 'cookie'
    if (byCookie) set(reply, name, refresh_token, answer.refresh_expires_in)
    if (byCookie || request.headers['sec-fetch-site'] === 'same-origin') setDevice(request, reply, device_token)
    return byCookie ? rest : answer
  }

  /**
   * A `preHandler` that refuses cookie delivery if the browser would drop the cookie or not send it back. Clients
   * without Origin and Sec-Fetch-Site are accepted. Throws AppError `cookie_not_deliverable`.
   */
  async function requireDeliverable(request: FastifyRequest): Promise<void> {
    if ((request.body as { delivery?: unknown } | null)?.delivery !== 'cookie') return
    const { origin, 'sec-fetch-site': site } = request.headers
    const hasCookie = request.headers.cookie?.includes(`${name}=`)
    if (hasCookie || (origin === undefined && site === undefined)) return
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
   * A `preValidation` that moves the refresh token from the cookie to the body, for limits and idempotency keys, and
   * selects cookie delivery. Throws AppError `cross_site_request`, or `refresh_invalid` without any token.
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
