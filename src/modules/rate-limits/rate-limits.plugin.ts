import type { FastifyReply, FastifyRequest, onSendAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../../kernel/errors/app-error.ts'
import { limitStateAfter, rateLimitHeaders } from './headers.ts'
import { type AttemptPolicy, IDEMPOTENCY_KEYS, type WindowPolicy } from './policies.ts'
import { rateLimitsErrors } from './rate-limits.errors.ts'
import type { RateLimits } from './rate-limits.service.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The limits of a route, in the order in which they are counted. */
    limits?: readonly Limit[]
    /** Runs before anything is counted: a request that it refuses does not count. */
    precheck?: (request: FastifyRequest) => Promise<void>
  }
}

/** Returns what a request is limited by, or null if it is not limited. */
type KeyOf = (request: FastifyRequest) => string | null
type Limit = readonly [WindowPolicy, KeyOf]

/** Limits by network: an IPv4 address or an IPv6 /64. */
export const byAddress: KeyOf = (request) => request.client.network

/** Limits by IPv6 /48, which some providers assign to one customer. */
export const bySite: KeyOf = (request) => request.client.site

/** Counts a request for each limit that its route declares, and refuses it with 429 when one is exceeded. */
export const rateLimitsPlugin = (rateLimits: Pick<RateLimits, 'limit'>) =>
  fp(
    async (app) => {
      app.addHook('onRoute', (route) => {
        if (!route.config?.limits) return
        route.config = { ...route.config, errors: [...(route.config.errors ?? []), rateLimitsErrors.rate_limited] }
      })
      app.addHook('preHandler', (request, reply, done) => {
        const { limits, precheck } = request.routeOptions.config
        if (limits || precheck) count(request, reply).then(() => done(), done)
        else done()
      })

      async function count(request: FastifyRequest, reply: FastifyReply): Promise<void> {
        const { limits = [], precheck } = request.routeOptions.config
        await precheck?.(request)
        for (const [policy, keyOf] of limits) {
          const key = keyOf(request)
          if (key === null) continue
          for (const [name, value] of Object.entries(await rateLimits.limit(policy, key)))
            reply.header(name, reply.hasHeader(name) ? `${reply.getHeader(name)}, ${value}` : value)
        }
      }
    },
    { name: 'rate-limits', fastify: '5.x', dependencies: ['problems', 'client'] },
  )

/**
 * Counts a new idempotency key. Throws AppError `rate_limited` for a user with too many. Returns false for an address
 * with too many: its requests run without the key, so that clients behind one address do not block each other.
 */
export const admitKey =
  (rateLimits: Pick<RateLimits, 'limit'>) =>
  async ({ actor, client }: FastifyRequest): Promise<boolean> => {
    try {
      await rateLimits.limit(IDEMPOTENCY_KEYS, actor?.userId ?? client.network ?? 'this machine')
      return true
    } catch (error) {
      if (!actor && error instanceof AppError && error.definition === rateLimitsErrors.rate_limited) return false
      throw error
    }
  }

/**
 * Returns an `onSend` hook with the headers of an unused limit, because success has cleared it. Errors carry their own.
 */
export const fullLimitHeaders = (policy: AttemptPolicy): onSendAsyncHookHandler => {
  const headers = rateLimitHeaders([limitStateAfter(0, policy)])
  return async (_request, reply) => {
    if (reply.statusCode < 400) reply.headers(headers)
  }
}
