import type { FastifyRequest } from 'fastify'
import { originOf } from '../../kernel/http/call-context.ts'
import type { RefreshCookie } from './refresh-cookie.ts'

/** What a request says about its device. Nothing in it has been verified, and clients can set any of it. */
export interface Evidence {
  /** The value of `X-Device-Token`. */
  deviceToken: string | null
  /** The values of the device cookie, which scripts cannot read. */
  deviceCookies: string[]
  /** The token in `Authorization`, possibly expired. */
  accessToken: string | null
  isBrowser: boolean
}

export const evidenceOf = (request: FastifyRequest, cookie: RefreshCookie): Evidence => ({
  deviceToken: single(request.headers['x-device-token']),
  deviceCookies: cookie.deviceTokens(request),
  accessToken: /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null,
  isBrowser: isBrowser(request),
})

const single = (header: string | string[] | undefined): string | null =>
  typeof header === 'string' && header.length <= 1024 ? header.trim() : null

/** Returns whether the app says so or the request has headers that browsers set and scripts cannot remove. */
function isBrowser(request: FastifyRequest): boolean {
  const { app_type, user_agent } = originOf(request).device
  const { origin, 'sec-fetch-site': site } = request.headers
  return app_type === 'web' || user_agent?.startsWith('Mozilla/') === true || site !== undefined || origin !== undefined
}
