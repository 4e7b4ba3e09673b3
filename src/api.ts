import { ERRORS } from './errors.ts'
import type { DocumentOptions } from './kernel/http/openapi.ts'
import type { App } from './kernel/http/types.ts'
import { accountRoutes, recoveryRoutes } from './modules/account/account.routes.ts'
import { accountPages } from './modules/account/pages/pages.routes.ts'
import { auditRoutes } from './modules/audit/audit.routes.ts'
import { AuditEvent } from './modules/audit/audit.schemas.ts'
import { authRoutes, jwksRoute, logoutRoutes } from './modules/auth/auth.routes.ts'
import { SignedInUser } from './modules/auth/auth.schemas.ts'
import { docsRoutes } from './modules/docs/docs.routes.ts'
import { healthRoutes } from './modules/health/health.routes.ts'
import { ownSessionsRoutes } from './modules/sessions/sessions.routes.ts'
import { Session } from './modules/sessions/sessions.schemas.ts'
import { userRoutes, usersRoutes } from './modules/users/users.routes.ts'
import { User } from './modules/users/users.schemas.ts'
import type { Services } from './services.ts'

/** What the OpenAPI document says of the API as a whole. */
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
} satisfies Omit<DocumentOptions, 'version' | 'server'>

/** The whole API on one page: what there is, under which path, and who is let in. */
export async function api(app: App, services: Services): Promise<void> {
  const {
    account,
    userManagement,
    audit,
    auth,
    config,
    exports,
    guard,
    idempotency,
    refreshCookie,
    rateLimits,
    tokens,
  } = services
  app.decorateRequest('identity', null)
  app.decorateRequest('refusal', null)
  for (const shared of [User, Session, SignedInUser, AuditEvent]) app.addSchema(shared)

  idempotency.protectWrites(app)

  await app.register(async (open: App) => {
    guard.public(open)
    await open.register(healthRoutes(services))
    await open.register(jwksRoute(tokens))
    await open.register(docsRoutes(services.version, Object.values(ERRORS)))
    await open.register(accountPages(account, config.minPasswordLength, refreshCookie))
    await open.register(authRoutes(auth, rateLimits, refreshCookie), { prefix: '/api/v1/auth' })
    await open.register(recoveryRoutes(account, rateLimits), { prefix: '/api/v1/auth' })
  })

  await app.register(async (signedIn: App) => {
    guard.signedIn(signedIn)
    await signedIn.register(logoutRoutes(auth, refreshCookie), { prefix: '/api/v1/auth' })
    await signedIn.register(ownSessionsRoutes(auth), { prefix: '/api/v1/auth' })
    await signedIn.register(accountRoutes(account, exports, rateLimits), { prefix: '/api/v1/auth' })
  })

  await app.register(async (adminOrSelf: App) => {
    guard.adminOrSelf(adminOrSelf)
    await adminOrSelf.register(userRoutes(userManagement), { prefix: '/api/v1/users' })
  })

  await app.register(async (administrators: App) => {
    guard.admin(administrators)
    await administrators.register(usersRoutes(userManagement), { prefix: '/api/v1/users' })
    await administrators.register(auditRoutes(audit), { prefix: '/api/v1' })
  })
}
