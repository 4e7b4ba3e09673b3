import type { FastifyPluginAsync } from 'fastify'
import * as errors from './errors.ts'
import { listErrors } from './kernel/errors/app-error.ts'
import type { DocumentOptions } from './kernel/http/openapi.ts'
import type { App } from './kernel/http/types.ts'
import { accountRoutes, linkRoutes } from './modules/account/account.routes.ts'
import { accountPages } from './modules/account/pages/pages.routes.ts'
import { auditRoutes } from './modules/audit/audit.routes.ts'
import { auditSchemas } from './modules/audit/audit.schemas.ts'
import { authHeaders } from './modules/auth/auth.headers.ts'
import { authRoutes, jwksRoute, logoutRoutes } from './modules/auth/auth.routes.ts'
import { deletionMembers, SignedInUser } from './modules/auth/auth.schemas.ts'
import { passwordRoutes, resetRoutes } from './modules/credentials/credentials.routes.ts'
import { docsRoutes } from './modules/docs/docs.routes.ts'
import { healthRoutes, readinessMembers } from './modules/health/health.routes.ts'
import { ownSessionsRoutes } from './modules/sessions/sessions.routes.ts'
import { Session } from './modules/sessions/sessions.schemas.ts'
import { userRoutes, usersRoutes } from './modules/users/users.routes.ts'
import { User } from './modules/users/users.schemas.ts'
import type { Services } from './services.ts'

/** The general part of the OpenAPI document. */
export const DOCUMENT = {
  description:
    'Accounts, sessions and users for an app. JSON in snake_case, times in RFC 3339 UTC, IDs are UUIDv7. ' +
    'Every error is `application/problem+json` with a stable `reason`; all reasons are listed at [/docs/errors](/docs/errors). ' +
    'A method that a path does not support is answered with 405 and the supported methods in `Allow`.',
  tags: [
    { name: 'Auth', description: 'Create an account, sign in, refresh, sign out' },
    { name: 'Account', description: 'The profile, password, e-mail and data of the signed-in user' },
    { name: 'Sessions', description: 'The devices on which a user is signed in' },
    { name: 'Users', description: 'Administration of users' },
    { name: 'Audit', description: 'Who did what, and when' },
    { name: 'Operation', description: 'Health checks and public keys' },
  ],
  securitySchemes: {
    bearer: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'The `access_token` returned by a sign-in or a refresh',
    },
    refreshCookie: {
      type: 'apiKey',
      in: 'cookie',
      name: 'bukhindor_refresh',
      description:
        'The refresh token of a sign-in with `"delivery": "cookie"`. Over https the name is `__Secure-bukhindor_refresh`.',
    },
  },
  problemMembers: { ...readinessMembers, ...deletionMembers },
} satisfies Omit<DocumentOptions, 'version' | 'server'>

/** Request headers of modules that CORS allows. */
export const REQUEST_HEADERS = [authHeaders['X-Device-Token'].name]

/** Registers every group of routes with its path and with who may call it. */
export async function api(app: App, services: Services): Promise<void> {
  const { account, credentials, userManagement, audit, config, exports, guard, refreshCookie, sessions, tokens } =
    services
  const audits = auditSchemas(Object.keys(services.declared.auditEvents))
  for (const schema of [User, Session, SignedInUser, audits.AuditEvent]) app.addSchema(schema)

  /** Registers routes behind an access check, rate limits and idempotency keys, in this order. */
  const scope = (access: FastifyPluginAsync, routes: (app: App) => Promise<void>) =>
    app.register(async (scoped: App) => {
      await scoped.register(access)
      await scoped.register(services.limits)
      await scoped.register(services.idempotency.plugin)
      await routes(scoped)
    })

  await scope(guard.public, async (open) => {
    await open.register(healthRoutes(services))
    await open.register(jwksRoute(tokens))
    await open.register(docsRoutes(services.version, listErrors(...Object.values(errors))))
    await open.register(accountPages(account, credentials, config.minPasswordLength, refreshCookie))
    await open.register(authRoutes(services), { prefix: '/api/v1/auth' })
    await open.register(resetRoutes(credentials), { prefix: '/api/v1/auth' })
    await open.register(linkRoutes(account), { prefix: '/api/v1/auth' })
  })

  await scope(guard.signedIn, async (signedIn) => {
    await signedIn.register(logoutRoutes(sessions, refreshCookie), { prefix: '/api/v1/auth' })
    await signedIn.register(ownSessionsRoutes(sessions), { prefix: '/api/v1/auth' })
    await signedIn.register(passwordRoutes(credentials), { prefix: '/api/v1/auth' })
    await signedIn.register(accountRoutes(account, exports), { prefix: '/api/v1/auth' })
  })

  await scope(guard.adminOrSelf, async (adminOrSelf) => {
    await adminOrSelf.register(userRoutes(userManagement), { prefix: '/api/v1/users' })
  })

  await scope(guard.admin, async (administrators) => {
    await administrators.register(usersRoutes(userManagement), { prefix: '/api/v1/users' })
    await administrators.register(auditRoutes(audit, audits), { prefix: '/api/v1' })
  })
}
