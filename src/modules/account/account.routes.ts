import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import { ifMatch, sendTagged } from '../../kernel/http/etag.ts'
import { translate } from '../../kernel/http/locale.ts'
import { Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/types.ts'
import { byCaller, callerOf } from '../auth/guard.ts'
import { credentialsErrors } from '../credentials/credentials.errors.ts'
import { CONFIRMATION, EMAIL_CHANGE, EMAIL_CHANGE_TO, EXPORT, RESEND } from '../rate-limits/policies.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import { fullLimitHeaders } from '../rate-limits/rate-limits.plugin.ts'
import { usersErrors } from '../users/users.errors.ts'
import { UserRef } from '../users/users.schemas.ts'
import { emailKey, userEtag } from '../users/users.service.ts'
import { accountMessages } from './account.messages.ts'
import * as schemas from './account.schemas.ts'
import type { Account } from './account.service.ts'
import type { Exports } from './export.service.ts'

const tags = ['Account']

/** Routes for the signed-in user. */
export const accountRoutes = (account: Account, exports: Exports) => async (app: App) => {
  app.get(
    '/me',
    {
      config: { headers: ['ETag', 'If-None-Match'] },
      schema: {
        operationId: 'getCurrentUser',
        summary: 'Get the current user',
        description: 'Returns the signed-in user. With `If-None-Match`, responds with 304 if the user has not changed.',
        tags,
        response: { 200: UserRef },
      },
    },
    (request, reply) => {
      const caller = callerOf(request)
      sendTagged(request, reply, userEtag(caller), account.profile(caller))
    },
  )

  app.patch(
    '/me',
    {
      config: { errors: [kernelErrors.precondition_failed], headers: ['ETag', 'If-Match'] },
      schema: {
        operationId: 'updateCurrentUser',
        summary: 'Update the current user',
        description:
          'Updates the name or the language of the signed-in user. Fields that are `null` or absent stay unchanged.',
        tags,
        body: schemas.UpdateProfile,
        response: { 200: UserRef },
      },
    },
    async (request, reply) => {
      const user = await account.updateProfile(callerOf(request), request.body, originOf(request), ifMatch(request))
      return reply.header('etag', userEtag(user)).send(account.toUser(user))
    },
  )

  app.delete(
    '/me',
    {
      config: { errors: [credentialsErrors.password_wrong, usersErrors.last_admin, rateLimitsErrors.rate_limited] },
      schema: {
        operationId: 'deleteCurrentUser',
        summary: 'Delete my account',
        description:
          'Ends all sessions immediately. The data is deleted at `delete_after`. Until then, the user can keep the account ' +
          'by opening the link in the e-mail or by signing in with `"undo_deletion": true`.',
        tags,
        body: schemas.DeleteMe,
        response: { 200: schemas.Deleted },
      },
      onSend: fullLimitHeaders(CONFIRMATION),
    },
    async (request) => {
      const { delete_after, isDeleted } = await account.requestDeletion(
        callerOf(request),
        request.body.password,
        originOf(request),
      )
      return {
        message: translate(request, isDeleted ? accountMessages.account_deleted : accountMessages.deletion_requested),
        delete_after,
      }
    },
  )

  app.get(
    '/me/export',
    {
      config: { limits: [[EXPORT, byCaller]], headers: ['Content-Disposition'] },
      schema: {
        operationId: 'exportCurrentUser',
        summary: 'Export my data',
        description: 'Returns all data stored about the user as one JSON file, without password hashes and tokens.',
        tags,
        response: { 200: exports.schema },
      },
    },
    async (request, reply) => {
      const file = request.method === 'HEAD' ? '' : await exports.of(callerOf(request), originOf(request))
      reply
        .type('application/json; charset=utf-8')
        .header('content-disposition', 'attachment; filename="bukhindor-export.json"')
      return reply.send(file as never)
    },
  )

  app.post(
    '/verify-email/resend',
    {
      config: { limits: [[RESEND, byCaller]] },
      schema: {
        operationId: 'resendVerificationEmail',
        summary: 'Resend the verification e-mail',
        description:
          'Sends a new link; the previous one stops working. If the address is already verified, nothing is sent.',
        tags,
        response: { 200: Message(accountMessages.verification_sent) },
      },
    },
    async (request) => {
      await account.resendVerification(callerOf(request))
      return { message: translate(request, accountMessages.verification_sent) }
    },
  )

  app.post(
    '/change-email',
    {
      config: {
        errors: [credentialsErrors.password_wrong, usersErrors.email_taken],
        limits: [
          [EMAIL_CHANGE, byCaller],
          [EMAIL_CHANGE_TO, ({ body }) => emailKey((body as schemas.ChangeEmail).new_email)],
        ],
      },
      schema: {
        operationId: 'requestEmailChange',
        summary: 'Request an e-mail change',
        description:
          'Sends a link to the new address and a notification to the old one. The address changes when the link is used.',
        tags,
        body: schemas.ChangeEmail,
        response: { 200: Message(accountMessages.email_change_sent) },
      },
    },
    async (request) => {
      await account.requestEmailChange(callerOf(request), request.body, originOf(request))
      return { message: translate(request, accountMessages.email_change_sent) }
    },
  )
}

/** Routes authorized by the token of a link. */
export const linkRoutes = (account: Account) => async (app: App) => {
  const byToken = [
    [
      '/verify-email',
      'verifyEmail',
      'Verify an e-mail address',
      account.verifyEmail,
      accountMessages.email_verified,
      [],
    ],
    [
      '/change-email/confirm',
      'confirmEmailChange',
      'Confirm an e-mail change',
      account.changeEmail,
      accountMessages.email_changed,
      [usersErrors.email_taken],
    ],
    [
      '/undo-deletion',
      'cancelAccountDeletion',
      'Cancel an account deletion',
      account.undoDeletion,
      accountMessages.deletion_undone,
      [],
    ],
  ] as const
  for (const [url, operationId, summary, act, message, errors] of byToken)
    app.post(
      url,
      {
        config: { errors: [credentialsErrors.link_invalid, ...errors] },
        schema: {
          operationId,
          summary,
          description: 'Takes the token of the link in the e-mail. A token works once.',
          tags,
          body: schemas.ByToken,
          response: { 200: Message(message) },
        },
      },
      async (request) => {
        await act(request.body.token, originOf(request))
        return { message: translate(request, message) }
      },
    )
}
