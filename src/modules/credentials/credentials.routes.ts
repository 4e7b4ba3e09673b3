import { originOf } from '../../kernel/http/call-context.ts'
import { translate } from '../../kernel/http/locale.ts'
import { Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/types.ts'
import { callerOf } from '../auth/guard.ts'
import { CONFIRMATION, RESET, RESET_ADDRESS, RESET_SITE } from '../rate-limits/policies.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import { byAddress, bySite, fullLimitHeaders } from '../rate-limits/rate-limits.plugin.ts'
import { emailKey } from '../users/users.service.ts'
import { credentialsErrors } from './credentials.errors.ts'
import { credentialsMessages } from './credentials.messages.ts'
import * as schemas from './credentials.schemas.ts'
import type { Credentials } from './credentials.service.ts'

const tags = ['Account']

/** Routes for the signed-in user. */
export const passwordRoutes = (credentials: Credentials) => async (app: App) => {
  app.post(
    '/change-password',
    {
      config: {
        errors: [credentialsErrors.password_wrong, credentialsErrors.password_refused, rateLimitsErrors.rate_limited],
      },
      schema: {
        operationId: 'changePassword',
        summary: 'Change my password',
        description: 'Ends all other sessions, forgets all other devices and notifies the user by e-mail.',
        tags,
        body: schemas.ChangePassword,
        response: { 200: Message(credentialsMessages.password_changed) },
      },
      onSend: fullLimitHeaders(CONFIRMATION),
    },
    async (request) => {
      await credentials.change(callerOf(request), request.body, originOf(request))
      return { message: translate(request, credentialsMessages.password_changed) }
    },
  )
}

/** Routes for users who have forgotten their password. */
export const resetRoutes = (credentials: Credentials) => async (app: App) => {
  app.post(
    '/reset-password',
    {
      config: {
        limits: [
          [RESET_ADDRESS, byAddress],
          [RESET_SITE, bySite],
          [RESET, ({ body }) => emailKey((body as schemas.ForgotPassword).email)],
        ],
      },
      schema: {
        operationId: 'requestPasswordReset',
        summary: 'Request a password reset',
        description:
          'Sends a link that is valid for 30 minutes. The response is the same for known and unknown addresses.',
        tags,
        body: schemas.ForgotPassword,
        response: { 200: Message(credentialsMessages.reset_sent) },
      },
    },
    async (request) => {
      await credentials.requestReset(request.body.email, originOf(request))
      return { message: translate(request, credentialsMessages.reset_sent) }
    },
  )

  app.post(
    '/reset-password/confirm',
    {
      config: { errors: [credentialsErrors.link_invalid, credentialsErrors.password_refused], caller: ['token'] },
      schema: {
        operationId: 'confirmPasswordReset',
        summary: 'Confirm a password reset',
        description:
          'Sets a new password with the token of a reset link. Ends all sessions and forgets all devices except this one. If the password is refused, the link stays valid.',
        tags,
        body: schemas.ResetPassword,
        response: { 200: schemas.PasswordReset },
      },
    },
    async (request) => {
      const device_token = await credentials.reset(request.body, originOf(request))
      return { message: translate(request, credentialsMessages.password_reset), device_token }
    },
  )
}
