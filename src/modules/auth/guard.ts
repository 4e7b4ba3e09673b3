import type { FastifyReply, FastifyRequest } from 'fastify'
import { andThen } from '../../kernel/and-then.ts'
import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors.ts'
import type { Access } from '../../kernel/http/openapi.ts'
import { originOf } from '../../kernel/http/origin.ts'
import type { App } from '../../kernel/http/server.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import { DENIAL, WRITES } from '../throttle/policies.ts'
import type { Throttle } from '../throttle/throttle.service.ts'
import type { AccessClaims, AccessTokens } from './tokens.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who is asking; set in every scope but the public one. */
    identity: Identity | null
  }
}

interface Parts {
  database: Database
  tokens: AccessTokens
  sessions: Sessions
  audit: Audit
  throttle: Throttle
}

/** The scopes of `api.ts`: each lets in whom its name says, and documents its routes so. */
export function createGuard({ database, tokens, sessions, audit, throttle }: Parts) {
  function authenticate(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
    // Nearly always everything is at hand, and nothing is waited for.
    try {
      const accepted = andThen(tokens.verify(bearerToken(request.headers.authorization)), (claims) =>
        andThen(sessions.identify(claims.sid, claims.gen), (identity) => accept(request, claims, identity)),
      )
      if (accepted instanceof Promise) accepted.then(() => done(), done)
      else done()
    } catch (error) {
      done(error as Error)
    }
  }

  function accept(request: FastifyRequest, claims: AccessClaims, identity: Identity): void {
    if (identity.id !== claims.sub) throw new AppError('token_invalid')
    request.identity = identity
    request.actor = { userId: identity.id, sessionId: identity.session_id }
  }

  async function recordDenial(request: FastifyRequest): Promise<void> {
    try {
      await throttle.limit(DENIAL, callerOf(request).id)
    } catch (error) {
      if (error instanceof AppError && error.reason === 'rate_limited') return
      throw error
    }
    const details = { method: request.method, route: request.routeOptions.url ?? null }
    await audit.record(database.db, originOf(request), { action: 'access.denied', outcome: 'failure', details })
  }

  /** Every write of somebody signed in counts: no route has to think of it. */
  async function limitWrite(request: FastifyRequest): Promise<void> {
    await throttle.limit(WRITES, callerOf(request).id)
  }

  const scope = (access: Access, allow?: (request: FastifyRequest, identity: Identity) => boolean) => (app: App) => {
    documentAccess(app, access)
    app.addHook('onRequest', authenticate)
    app.addHook('onRoute', (route) => {
      if (![route.method].flat().some(isWrite)) return
      route.onRequest = [...[route.onRequest ?? []].flat(), limitWrite]
      route.config = { ...route.config, reasons: [...(route.config?.reasons ?? []), 'rate_limited'] }
    })
    if (allow)
      app.addHook('onRequest', async (request) => {
        if (allow(request, callerOf(request))) return
        await recordDenial(request)
        throw new AppError('forbidden')
      })
  }

  return {
    public: (app: App) => documentAccess(app, 'public'),
    signedIn: scope('signed in'),
    admin: scope('admin', (_request, { role }) => role === 'admin'),
    /** For paths with an `{id}` of a user: their own, or an administrator's. */
    adminOrSelf: scope(
      'admin or self',
      ({ params }, { role, id }) => role === 'admin' || (params as { id?: string }).id === id,
    ),
  }
}

const isWrite = (method: string): boolean => !['GET', 'HEAD', 'OPTIONS'].includes(method)

/** Who is asking. Only for routes in a scope that requires a token. */
export function callerOf(request: FastifyRequest): Identity {
  if (!request.identity) throw new AppError('token_missing')
  return request.identity
}

function documentAccess(app: App, access: Access): void {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, access }
  })
}

/** The token of `Authorization: Bearer …` (RFC 6750, 2.1). Throws AppError `token_missing`. */
function bearerToken(header: string | undefined): string {
  if (header === undefined) throw new AppError('token_missing')
  const token = /^bearer +(.+)$/i.exec(header)?.[1]
  if (token === undefined)
    throw new AppError('token_missing', { detail: 'Authorization must be "Bearer" and an access token.' })
  return token
}
