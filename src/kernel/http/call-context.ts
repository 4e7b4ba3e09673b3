import type { FastifyRequest } from 'fastify'
import type { Device, Origin } from '../lib/call-context.ts'

const MAX_HEADER_LENGTH = 200

/** Returns the origin of a request, for services that do not know HTTP. */
export const originOf = (request: FastifyRequest): Origin => ({
  device: deviceOf(request),
  network: request.client.network,
  site: request.client.site,
  requestId: request.id,
  actor: request.actor
    ? { type: 'user', id: request.actor.userId, sessionId: request.actor.sessionId }
    : { type: 'anonymous' },
})

/** Reads what the app says about its device. Invalid headers count as missing: no decision depends on them. */
function deviceOf(request: FastifyRequest): Device {
  const { headers } = request
  const appType = text(headers['x-app-type'])?.toLowerCase()
  return {
    device_id: text(headers['x-device-id']),
    app_type: appType && /^(ios|android|web|macos|windows|linux)$/.test(appType) ? appType : null,
    app_version: text(headers['x-app-version'])?.slice(0, 40) ?? null,
    user_agent: text(headers['user-agent']),
    ip: request.client.ip,
  }
}

function text(header: string | string[] | undefined): string | null {
  if (typeof header !== 'string') return null
  const printable = header.replace(/[^\x20-\x7e]/g, '').trim()
  return printable ? printable.slice(0, MAX_HEADER_LENGTH) : null
}
