import { AppError } from '../../kernel/errors/app-error.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import { localeOf, translate } from '../../kernel/http/locale.ts'
import { Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/types.ts'
import { credentialsErrors } from '../credentials/credentials.errors.ts'
import { LOGIN, REFRESH, REFRESH_ADDRESS, REGISTRATION, REGISTRATION_SITE } from '../rate-limits/policies.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import { announced, byAddress, bySite, limited } from '../rate-limits/rate-limits.hooks.ts'
import type { RateLimits } from '../rate-limits/rate-limits.service.ts'
import { sessionsErrors } from '../sessions/sessions.errors.ts'
import { Revoked } from '../sessions/sessions.schemas.ts'
import { usersErrors } from '../users/users.errors.ts'
import type { AccessTokens } from './access-tokens.ts'
import { authErrors } from './auth.errors.ts'
import { authMessages } from './auth.messages.ts'
import * as schemas from './auth.schemas.ts'
import type { Auth } from './auth.service.ts'
import { evidenceOf } from './evidence.ts'
import { callerOf } from './guard.ts'
import type { RefreshCookie } from './refresh-cookie.ts'

const tags = ['Auth']
/** What is kept with a session. */
const DEVICE_HEADERS = ['X-Device-ID', 'X-App-Type', 'X-App-Version'] as const

/** What anybody may call. */
export const authRoutes = (auth: Auth, rateLimits: RateLimits, cookie: RefreshCookie) => async (app: App) => {
  const presentedSession = ({ body }: { body: unknown }) =>
    auth.sessionOf((body as { refresh_token?: string }).refresh_token ?? '')

  app.post(
    '/register',
    {
      config: {
        errors: [credentialsErrors.password_refused, usersErrors.email_taken, rateLimitsErrors.rate_limited],
        caller: ['email', 'password'],
      },
      schema: {
        operationId: 'register',
        summary: 'Create an account',
        description: 'Creates an account with an e-mail and a password. It does not start a session: sign in next.',
        tags,
        body: schemas.Register,
        response: { 201: schemas.Registered },
      },
      preHandler: [
        // A password that is refused was no try at making an account.
        async ({ body }) => auth.requireGoodPassword(body),
        limited(rateLimits, [REGISTRATION, byAddress], [REGISTRATION_SITE, bySite]),
      ],
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
        headers: ['X-Device-Token', ...DEVICE_HEADERS, 'Set-Cookie'],
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
      preHandler: cookie.requireDeliverable,
      onSend: announced(LOGIN),
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
          rateLimitsErrors.rate_limited,
        ],
        caller: ['refresh_token'],
        headers: [...DEVICE_HEADERS, 'Set-Cookie'],
        optionalBody: true,
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
      preHandler: [
        cookie.requireDeliverable,
        limited(
          rateLimits,
          [REFRESH, presentedSession],
          // Only with a token of ours: what costs no more than its MAC must not use up what a whole address has.
          [REFRESH_ADDRESS, (request) => presentedSession(request) && byAddress(request)],
        ),
      ],
    },
    async (request, reply) => {
      const { refresh_token: token = '', delivery } = request.body
      const user = await auth.refresh(token, originOf(request), evidenceOf(request, cookie)).catch((error) => {
        if (error instanceof AppError && error.definition.action === 'reauthenticate') cookie.clear(request, reply)
        throw error
      })
      request.answeredSession = user.session_id
      return {
        message: translate(request, authMessages.refreshed),
        user: cookie.deliver(request, reply, user, delivery),
      }
    },
  )
}

/** What a signed-in person may call. */
export const logoutRoutes = (auth: Auth, cookie: RefreshCookie) => async (app: App) => {
  app.post(
    '/logout',
    {
      config: { headers: ['Set-Cookie'] },
      schema: {
        operationId: 'signOut',
        summary: 'Sign out',
        description: 'Ends the current session. Its access token and its refresh token stop working immediately.',
        tags,
        response: { 200: Message(authMessages.signed_out) },
      },
    },
    async (request, reply) => {
      await auth.logout(callerOf(request), originOf(request))
      cookie.clear(request, reply)
      return { message: translate(request, authMessages.signed_out) }
    },
  )

  app.post(
    '/logout-all',
    {
      config: { headers: ['Set-Cookie'], optionalBody: true },
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
      const revoked = await auth.logoutAll(callerOf(request), keepCurrent, originOf(request))
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
    async (_request, reply) => reply.header('cache-control', 'public, max-age=300').send(tokens.jwks as never),
  )
}
