import type { FastifyReply, FastifyRequest, onSendAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../../kernel/errors/app-error.ts'
import { rateLimitHeaders, standingAfter } from './headers.ts'
import { type AttemptPolicy, IDEMPOTENCY_KEYS, type WindowPolicy } from './policies.ts'
import { rateLimitsErrors } from './rate-limits.errors.ts'
import type { RateLimits } from './rate-limits.service.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The limits of a route, in the order in which they are counted. */
    limits?: readonly Limit[]
    /** What has to hold before anything is counted: a request that this refuses is no attempt. */
    precheck?: (request: FastifyRequest) => Promise<void>
  }
}

/** What a request is limited by; null for what is not limited. */
type By = (request: FastifyRequest) => string | null
type Limit = readonly [WindowPolicy, By]

/** The network of the caller: one address in IPv4, one household in IPv6. */
export const byAddress: By = (request) => request.client.network

/** The wider network of an IPv6 caller, of 48 bits: so many households are at hand to one customer of some providers. */
export const bySite: By = (request) => request.client.site

/** Counts a request for each limit that its route declares, and refuses it with 429 where one is used up. */
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
        for (const [policy, by] of limits) {
          const key = by(request)
          if (key === null) continue
          for (const [name, value] of Object.entries(await rateLimits.limit(policy, key)))
            reply.header(name, reply.hasHeader(name) ? `${reply.getHeader(name)}, ${value}` : value)
        }
      }
    },
    { name: 'rate-limits', fastify: '5.x', dependencies: ['problems', 'client'] },
  )

/**
 * Counts a new idempotency key. Whoever is signed in has to wait once too many are kept: AppError `rate_limited`. From an
 * address with too many, requests run as if they had none: a stranger must not keep their neighbours out.
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

/** An `onSend` that tells of a whole budget: what has succeeded has cleared it. Errors carry headers of their own. */
export const announced = (policy: AttemptPolicy): onSendAsyncHookHandler => {
  const headers = rateLimitHeaders([standingAfter(0, policy)])
  return async (_request, reply) => {
    if (reply.statusCode < 400) reply.headers(headers)
  }
}
