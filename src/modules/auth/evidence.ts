import type { FastifyRequest } from 'fastify'
import { originOf } from '../../kernel/http/call-context.ts'
import type { RefreshCookie } from './refresh-cookie.ts'

/** What a request shows of the device that it comes from. None of it is checked yet, and some of it anybody can write. */
export interface Evidence {
  /** From `X-Device-Token`. */
  deviceToken: string | null
  /** From the cookie, which scripts cannot read. */
  deviceCookies: string[]
  /** From `Authorization`, expired or not. */
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

/** The app says so, or the request has what browsers write, and scripts in them cannot leave out. */
function isBrowser(request: FastifyRequest): boolean {
  const { app_type, user_agent } = originOf(request).device
  const { origin, 'sec-fetch-site': site } = request.headers
  return app_type === 'web' || user_agent?.startsWith('Mozilla/') === true || site !== undefined || origin !== undefined
}
