import { AppError } from '../../kernel/errors/app-error.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import { localeOf, translate } from '../../kernel/http/locale.ts'
import { Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/types.ts'
import type { Config } from '../../settings/config.ts'
import { credentialsErrors } from '../credentials/credentials.errors.ts'
import { requirePassword } from '../credentials/password-policy.ts'
import { LOGIN, REFRESH, REFRESH_ADDRESS, REGISTRATION, REGISTRATION_SITE } from '../rate-limits/policies.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import { byAddress, bySite, fullLimitHeaders } from '../rate-limits/rate-limits.plugin.ts'
import type { RefreshClaims, RefreshTokens } from '../sessions/refresh-token.ts'
import { sessionsErrors } from '../sessions/sessions.errors.ts'
import { Revoked } from '../sessions/sessions.schemas.ts'
import type { Sessions } from '../sessions/sessions.service.ts'
import { usersErrors } from '../users/users.errors.ts'
import type { AccessTokens } from './access-tokens.ts'
import { authErrors } from './auth.errors.ts'
import { authHeaders } from './auth.headers.ts'
import { authMessages } from './auth.messages.ts'
import * as schemas from './auth.schemas.ts'
import type { Auth } from './auth.service.ts'
import { evidenceOf } from './evidence.ts'
import { callerOf } from './guard.ts'
import type { RefreshCookie } from './refresh-cookie.ts'

const tags = ['Auth']

declare module 'fastify' {
  interface FastifyRequest {
    /** The claims of the refresh token; null if it is not valid. */
    refreshClaims: RefreshClaims | null
  }
}

interface Parts {
  auth: Auth
  refreshTokens: RefreshTokens
  refreshCookie: RefreshCookie
  config: Pick<Config, 'minPasswordLength'>
}

/** Request headers that are stored with a session. */
const DEVICE_HEADERS = ['X-Device-ID', 'X-App-Type', 'X-App-Version'] as const

/** Routes without authentication. */
export const authRoutes =
  ({ auth, refreshTokens, refreshCookie: cookie, config }: Parts) =>
  async (app: App) => {
    app.decorateRequest('refreshClaims', null)

    app.post(
      '/register',
      {
        config: {
          errors: [credentialsErrors.password_refused, usersErrors.email_taken],
          caller: ['email', 'password'],
          precheck: async ({ body }) => {
            const { password, email, name } = body as schemas.Register
            requirePassword(password, { minLength: config.minPasswordLength, email, name })
          },
          limits: [
            [REGISTRATION, byAddress],
            [REGISTRATION_SITE, bySite],
          ],
        },
        schema: {
          operationId: 'register',
          summary: 'Create an account',
          description: 'Creates an account with an e-mail and a password. It does not start a session: sign in next.',
          tags,
          body: schemas.Register,
          response: { 201: schemas.Registered },
        },
      },
      async (request, reply) => {
        const { user, device_token } = await auth.register(request.body, localeOf(request), originOf(request))
        return reply.code(201).send({ message: translate(request, authMessages.registered), user, device_token })
      },
    )

    app.post(
      '/login',
      {
        config: {
          errors: [
            authErrors.invalid_credentials,
            authErrors.account_inactive,
            authErrors.email_not_verified,
            authErrors.account_deletion_pending,
            authErrors.cookie_not_deliverable,
            rateLimitsErrors.rate_limited,
          ],
          caller: ['email', 'password'],
          headers: [authHeaders['X-Device-Token'], ...DEVICE_HEADERS, authHeaders['Set-Cookie']],
          precheck: cookie.requireDeliverable,
        },
        schema: {
          operationId: 'signIn',
          summary: 'Sign in',
          description:
            'Starts a session on this device. The response is the same for an unknown e-mail and a wrong password. With ' +
            '`"delivery": "cookie"`, the refresh token and the device token are set as cookies instead of being returned in ' +
            'the body. A device that sends its `X-Device-Token`, or an access token of this account in `Authorization` (even ' +
            'an expired one), has its own attempt limit: wrong passwords on other devices do not block it.',
          tags,
          body: schemas.Login,
          response: { 200: schemas.SignedIn },
        },
        onSend: fullLimitHeaders(LOGIN),
      },
      async (request, reply) => {
        const user = await auth.login(request.body, originOf(request), evidenceOf(request, cookie))
        request.answeredSession = user.session_id
        return {
          message: translate(request, authMessages.signed_in),
          user: cookie.deliver(request, reply, user, request.body.delivery),
        }
      },
    )

    app.post(
      '/refresh',
      {
        config: {
          errors: [
            sessionsErrors.refresh_invalid,
            sessionsErrors.refresh_reused,
            sessionsErrors.session_ended,
            authErrors.cross_site_request,
            authErrors.cookie_not_deliverable,
          ],
          caller: ['refresh_token'],
          headers: [...DEVICE_HEADERS, authHeaders['Set-Cookie']],
          optionalBody: true,
          async precheck(request) {
            await cookie.requireDeliverable(request)
            request.refreshClaims = refreshTokens.decode((request.body as schemas.Refresh).refresh_token ?? '')
          },
          limits: [
            [REFRESH, ({ refreshClaims }) => refreshClaims?.sessionId ?? null],
            // Only valid tokens count: other requests cost only a MAC check and must not use up the limit of an
            // address.
            [REFRESH_ADDRESS, (request) => request.refreshClaims && byAddress(request)],
          ],
        },
        schema: {
          security: [{ refreshCookie: [] }, {}],
          operationId: 'refreshSession',
          summary: 'Refresh a session',
          description:
            'Returns a new access token and the next refresh token. Until the next refresh token has been used, a repeated ' +
            'request with the same refresh token returns the same one, so a lost response does no harm. Using an outdated ' +
            'refresh token ends the session, unless it comes from another tab of the same browser. A browser that has the ' +
            'token as a cookie omits `refresh_token`, or the whole body, and gets the next token as a cookie.',
          tags,
          body: schemas.Refresh,
          response: { 200: schemas.SignedIn },
        },
        preValidation: cookie.intoBody,
      },
      async (request, reply) => {
        const user = await auth
          .refresh(request.refreshClaims, originOf(request), evidenceOf(request, cookie))
          .catch((error) => {
            if (error instanceof AppError && error.definition.action === 'reauthenticate') cookie.clear(request, reply)
            throw error
          })
        request.answeredSession = user.session_id
        return {
          message: translate(request, authMessages.refreshed),
          user: cookie.deliver(request, reply, user, request.body.delivery),
        }
      },
    )
  }

/** Routes for the signed-in user. */
export const logoutRoutes = (sessions: Sessions, cookie: RefreshCookie) => async (app: App) => {
  app.post(
    '/logout',
    {
      config: { headers: [authHeaders['Set-Cookie']] },
      schema: {
        operationId: 'signOut',
        summary: 'Sign out',
        description: 'Ends the current session. Its access token and its refresh token stop working immediately.',
        tags,
        response: { 200: Message(authMessages.signed_out) },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request)
      await sessions.revokeOwn(caller, { only: caller.session_id }, originOf(request))
      cookie.clear(request, reply)
      return { message: translate(request, authMessages.signed_out) }
    },
  )

  app.post(
    '/logout-all',
    {
      config: { headers: [authHeaders['Set-Cookie']], optionalBody: true },
      schema: {
        operationId: 'signOutEverywhere',
        summary: 'Sign out everywhere',
        description:
          'Ends all sessions of the user. With `keep_current`, the current session stays. The body is optional.',
        tags,
        body: schemas.LogoutAll,
        response: { 200: Revoked },
      },
      preValidation: async (request) => {
        request.body ??= {}
      },
    },
    async (request, reply) => {
      const keepCurrent = request.body.keep_current ?? false
      const caller = callerOf(request)
      const selector = keepCurrent ? { except: caller.session_id } : {}
      const revoked = await sessions.revokeOwn(caller, selector, originOf(request))
      if (!keepCurrent) cookie.clear(request, reply)
      return { message: translate(request, authMessages.signed_out_everywhere), revoked }
    },
  )
}

export const jwksRoute = (tokens: AccessTokens) => async (app: App) => {
  app.get(
    '/.well-known/jwks.json',
    {
      schema: {
        operationId: 'getSigningKeys',
        summary: 'Get the public signing keys',
        description:
          'Returns the public keys (JWK Set, RFC 7517) with which other services verify access tokens offline.',
        tags: ['Operation'],
        response: { 200: schemas.Jwks },
      },
    },
    async (_request, reply) => reply.header('cache-control', 'public, max-age=300').send(tokens.jwks),
  )
}
