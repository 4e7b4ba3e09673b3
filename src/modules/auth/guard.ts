import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Database } from '../../kernel/db/database.ts'
import { AppError, type ErrorDefinition } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import type { Idempotency, Repeater } from '../../kernel/http/idempotency/idempotency.ts'
import type { Access } from '../../kernel/http/openapi.ts'
import type { Audit } from '../audit/audit.service.ts'
import { DENIAL, WRITES } from '../rate-limits/policies.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import type { RateLimits } from '../rate-limits/rate-limits.service.ts'
import { sessionsErrors } from '../sessions/sessions.errors.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import type { AccessTokens } from './access-tokens.ts'
import { authErrors } from './auth.errors.ts'
import { authEvents } from './auth.events.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller; set in every scope but the public one. */
    identity: Identity | null
    /** Why the request is refused, unless it repeats the one that ended its session. */
    refusal: Refusal | null
  }
}

interface Refusal {
  error: Error
  repeater: Repeater
}

interface Parts {
  database: Database
  tokens: AccessTokens
  sessions: Sessions
  audit: Audit
  rateLimits: RateLimits
  idempotency: Pick<Idempotency, 'mayRepeat' | 'repeat'>
}

/** The scopes of `api.ts`. Each authenticates and authorizes its callers, and documents its routes accordingly. */
export function createGuard({ database, tokens, sessions, audit, rateLimits, idempotency }: Parts) {
  function authenticate(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
    identify(request).then(
      () => done(),
      (error) => refuse(request, error, done),
    )
  }

  /** Sets the caller. Throws AppError `token_missing`, `token_invalid`, `token_expired`, `session_ended`. */
  async function identify(request: FastifyRequest): Promise<void> {
    const { sub, sid, gen } = await tokens.verify(bearerToken(request.headers.authorization))
    const identity = await sessions.identify(sid, gen)
    if (identity.id !== sub) throw new AppError(authErrors.token_invalid)
    request.identity = identity
    request.actor = { userId: identity.id, sessionId: identity.session_id }
  }

  /**
   * Refuses a request, unless it may repeat the one that ended its session: that is decided when its body has arrived.
   */
  function refuse(request: FastifyRequest, error: Error, done: (error?: Error) => void): void {
    const mayRepeat = async (): Promise<void> => {
      if (!(error instanceof AppError) || !REPEATABLE.includes(error.definition)) throw error
      if (request.headers['idempotency-key'] === undefined) throw error
      const { sub: userId, sid: sessionId } = await tokens.read(bearerToken(request.headers.authorization))
      const repeater = { userId, sessionId }
      if (!(await idempotency.mayRepeat(request, repeater))) throw error
      request.identity = null
      request.refusal = { error, repeater }
    }
    mayRepeat().then(() => done(), done)
  }

  /** Sends the stored response of a repeated request, or throws the refusal. The handler does not run. */
  async function replayOrRefuse(
    request: FastifyRequest,
    reply: FastifyReply,
    { error, repeater }: Refusal,
  ): Promise<void> {
    if (!(await idempotency.repeat(request, reply, repeater))) throw error
  }

  async function recordDenial(request: FastifyRequest): Promise<void> {
    try {
      await rateLimits.limit(DENIAL, callerOf(request).id)
    } catch (error) {
      if (error instanceof AppError && error.definition === rateLimitsErrors.rate_limited) return
      throw error
    }
    const details = { method: request.method, route: request.routeOptions.url ?? null }
    await audit.record(database.db, originOf(request), {
      event: authEvents['access.denied'],
      outcome: 'failure',
      details,
    })
  }

  /** Limits all writes of a signed-in user, whatever the route. */
  const limitWrite = (request: FastifyRequest) => rateLimits.limit(WRITES, callerOf(request).id)

  /** Checks the caller before the body is read, and again when it has arrived (docs/decisions/0011). */
  const scope = (access: Access, allow?: (request: FastifyRequest, identity: Identity) => boolean) =>
    fp(
      async (app) => {
        const authorize = async (request: FastifyRequest): Promise<void> => {
          if (!allow || allow(request, callerOf(request))) return
          await recordDenial(request)
          throw new AppError(kernelErrors.forbidden)
        }
        app.decorateRequest('identity', null)
        app.decorateRequest('refusal', null)
        app.addHook('onRoute', (route) => {
          const isLimited = [route.method].flat().some(isWrite)
          const errors = [...TOKEN_ERRORS, ...(allow ? [kernelErrors.forbidden] : [])]
          document(route, access, isLimited ? [rateLimitsErrors.rate_limited, ...errors] : errors)
        })
        app.addHook('onRequest', authenticate)
        if (allow) app.addHook('onRequest', async (request) => (request.refusal ? undefined : authorize(request)))
        app.addHook('onRequest', (request, _reply, done) => {
          if (request.refusal || !isWrite(request.method)) return done()
          limitWrite(request).then(() => done(), done)
        })
        app.addHook('preValidation', (request, reply, done) =>
          hasBody(request) && !request.refusal ? authenticate(request, reply, done) : done(),
        )
        if (allow)
          app.addHook('preValidation', async (request) =>
            hasBody(request) && !request.refusal ? authorize(request) : undefined,
          )
        app.addHook('preHandler', (request, reply, done) =>
          request.refusal ? replayOrRefuse(request, reply, request.refusal).catch(done) : done(),
        )
      },
      { name: `guard (${access})`, fastify: '5.x', dependencies: ['problems', 'request-log'] },
    )

  return {
    public: fp(async (app) => void app.addHook('onRoute', (route) => document(route, 'public')), {
      name: 'guard (public)',
      fastify: '5.x',
    }),
    signedIn: scope('signed in'),
    admin: scope('admin', (_request, { role }) => role === 'admin'),
    /** For paths with the `{id}` of a user: that user or an administrator. */
    adminOrSelf: scope(
      'admin or self',
      ({ params }, { role, id }) => role === 'admin' || (params as { id?: string }).id === id,
    ),
  }
}

const TOKEN_ERRORS = [
  authErrors.token_missing,
  authErrors.token_invalid,
  authErrors.token_expired,
  sessionsErrors.session_ended,
]
/** Requests refused with these errors may still repeat the request that ended their session. */
const REPEATABLE: ErrorDefinition[] = [sessionsErrors.session_ended, authErrors.token_expired]

const isWrite = (method: string): boolean => !['GET', 'HEAD', 'OPTIONS'].includes(method)

/** Returns the caller. Only for routes in a scope that requires a token. */
export function callerOf(request: FastifyRequest): Identity {
  if (!request.identity) throw new AppError(authErrors.token_missing)
  return request.identity
}

/** Returns the id of the caller, for limits by user. Only for routes in a scope that requires a token. */
export const byCaller = (request: FastifyRequest): string => callerOf(request).id

/** Adds the access rule and the errors of a scope to the documentation of a route. */
function document(route: RouteOptions, access: Access, errors: ErrorDefinition[] = []): void {
  route.config = { ...route.config, access, errors: [...errors, ...(route.config?.errors ?? [])] }
}

/** Returns whether a body follows the headers (RFC 9112, 6.3). */
const hasBody = ({ headers }: FastifyRequest): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

/** Returns the token of `Authorization: Bearer …` (RFC 6750, 2.1). Throws AppError `token_missing`. */
function bearerToken(header: string | undefined): string {
  if (header === undefined) throw new AppError(authErrors.token_missing)
  const token = /^bearer +(.+)$/i.exec(header)?.[1]
  if (token === undefined)
    throw new AppError(authErrors.token_missing, {
      detail: 'The Authorization header must be "Bearer" followed by an access token.',
    })
  return token
}
