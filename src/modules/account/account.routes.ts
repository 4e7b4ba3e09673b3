import type { FastifyRequest } from 'fastify'
import { etag, ifMatch } from '../../kernel/http/etag.ts'
import { say } from '../../kernel/http/locale.ts'
import { originOf } from '../../kernel/http/origin.ts'
import { Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/server.ts'
import { callerOf } from '../auth/guard.ts'
import {
  CONFIRMATION,
  EMAIL_CHANGE,
  EMAIL_CHANGE_TO,
  EXPORT,
  RESEND,
  RESET,
  RESET_ADDRESS,
  RESET_SITE,
} from '../throttle/policies.ts'
import { announced, byAddress, bySite, limited } from '../throttle/throttle.hooks.ts'
import type { Throttle } from '../throttle/throttle.service.ts'
import { UserRef } from '../users/users.schemas.ts'
import { emailKey } from '../users/users.service.ts'
import * as schemas from './account.schemas.ts'
import type { Account } from './account.service.ts'
import type { Exports } from './export.service.ts'

const tags = ['Account']
const byCaller = (request: FastifyRequest) => callerOf(request).id

/** For the signed-in person. */
export const accountRoutes = (account: Account, exports: Exports, throttle: Throttle) => async (app: App) => {
  app.get(
    '/me',
    {
      schema: {
        operationId: 'me',
        summary: 'One’s own profile',
        description: 'The signed-in user, as of now.',
        tags,
        response: { 200: UserRef },
      },
    },
    (request, reply) => {
      const caller = callerOf(request)
      reply.header('etag', etag(caller.version)).send(account.profile(caller))
    },
  )

  app.patch(
    '/me',
    {
      config: { reasons: ['precondition_failed'] },
      schema: {
        operationId: 'updateMe',
        summary: 'Change one’s own profile',
        description: '`null` and absent fields stay as they are.',
        tags,
        body: schemas.UpdateProfile,
        response: { 200: UserRef },
      },
    },
    async (request, reply) => {
      const user = await account.updateProfile(callerOf(request), request.body, originOf(request), ifMatch(request))
      return reply.header('etag', etag(user.version)).send(account.toUser(user))
    },
  )

  app.delete(
    '/me',
    {
      config: { reasons: ['password_wrong', 'last_admin', 'rate_limited'] },
      schema: {
        operationId: 'deleteMe',
        summary: 'Delete one’s own account',
        description:
          'Ends all sessions at once; the data goes at `delete_after`. Until then the link in the e-mail, or signing in ' +
          'with `"undo_deletion": true`, keeps the account.',
        tags,
        body: schemas.DeleteMe,
        response: { 200: schemas.Deleted },
      },
      onSend: announced(CONFIRMATION),
    },
    async (request) => {
      const { delete_after, isGone } = await account.requestDeletion(
        callerOf(request),
        request.body.password,
        originOf(request),
      )
      return { message: say(request, isGone ? 'account_deleted' : 'deletion_requested'), delete_after }
    },
  )

  app.get(
    '/me/export',
    {
      config: { reasons: ['rate_limited'] },
      schema: {
        operationId: 'exportMe',
        summary: 'All that is stored of oneself',
        description:
          'One JSON file: profile, sessions, devices, audit events, mails. No password hash and no token is in it.',
        tags,
        response: { 200: schemas.Export },
      },
      preHandler: limited(throttle, [EXPORT, byCaller]),
    },
    async (request, reply) => {
      reply
        .type('application/json; charset=utf-8')
        .header('content-disposition', 'attachment; filename="bukhindor-export.json"')
      const file = request.method === 'HEAD' ? '' : await exports.of(callerOf(request), originOf(request))
      return reply.send(file as never)
    },
  )

  app.post(
    '/change-password',
    {
      config: { reasons: ['password_wrong', 'password_refused', 'rate_limited'] },
      schema: {
        operationId: 'changePassword',
        summary: 'Change one’s password',
        description: 'Ends the other sessions, forgets the other devices, and tells the person by e-mail.',
        tags,
        body: schemas.ChangePassword,
        response: { 200: Message },
      },
      onSend: announced(CONFIRMATION),
    },
    async (request) => {
      await account.changePassword(callerOf(request), request.body, originOf(request))
      return { message: say(request, 'password_changed') }
    },
  )

  app.post(
    '/verify-email/resend',
    {
      config: { reasons: ['rate_limited'] },
      schema: {
        operationId: 'resendVerification',
        summary: 'Send the verification e-mail again',
        description: 'The link before it stops working. Nothing is sent where the e-mail is verified.',
        tags,
        response: { 200: Message },
      },
      preHandler: limited(throttle, [RESEND, byCaller]),
    },
    async (request) => {
      await account.resendVerification(callerOf(request))
      return { message: say(request, 'verification_sent') }
    },
  )

  app.post(
    '/change-email',
    {
      config: { reasons: ['password_wrong', 'email_taken', 'rate_limited'] },
      schema: {
        operationId: 'changeEmail',
        summary: 'Change one’s e-mail',
        description:
          'Sends a link to the new address and word to the old one. The address changes when the link is used.',
        tags,
        body: schemas.ChangeEmail,
        response: { 200: Message },
      },
      preHandler: limited(
        throttle,
        [EMAIL_CHANGE, byCaller],
        [EMAIL_CHANGE_TO, ({ body }) => emailKey((body as { new_email: string }).new_email)],
      ),
    },
    async (request) => {
      await account.requestEmailChange(callerOf(request), request.body, originOf(request))
      return { message: say(request, 'email_change_sent') }
    },
  )
}

/** For whoever holds a link, or has lost a password. */
export const recoveryRoutes = (account: Account, throttle: Throttle) => async (app: App) => {
  app.post(
    '/reset-password',
    {
      config: { reasons: ['rate_limited'] },
      schema: {
        operationId: 'forgotPassword',
        summary: 'Ask for a password reset',
        description: 'Mails a link that is good for 30 minutes. Known and unknown e-mails answer the same.',
        tags,
        body: schemas.ForgotPassword,
        response: { 200: Message },
      },
      preHandler: limited(
        throttle,
        [RESET_ADDRESS, byAddress],
        [RESET_SITE, bySite],
        [RESET, ({ body }) => emailKey((body as { email: string }).email)],
      ),
    },
    async (request) => {
      await account.requestReset(request.body.email, originOf(request))
      return { message: say(request, 'reset_sent') }
    },
  )

  app.post(
    '/reset-password/confirm',
    {
      config: { reasons: ['link_invalid', 'password_refused'], caller: ['token'] },
      schema: {
        operationId: 'resetPassword',
        summary: 'Set a password by a reset link',
        description:
          'Ends all sessions, and forgets all devices but this one. A password that is refused leaves the link as it is.',
        tags,
        body: schemas.ResetPassword,
        response: { 200: schemas.PasswordReset },
      },
    },
    async (request) => {
      const device_token = await account.resetPassword(request.body, originOf(request))
      return { message: say(request, 'password_reset'), device_token }
    },
  )

  const byToken = [
    ['/verify-email', 'verifyEmail', 'Verify an e-mail by its link', account.verifyEmail, 'email_verified', []],
    [
      '/change-email/confirm',
      'confirmEmailChange',
      'Change the e-mail by its link',
      account.changeEmail,
      'email_changed',
      ['email_taken'],
    ],
    [
      '/undo-deletion',
      'undoDeletion',
      'Keep an account that is being deleted',
      account.undoDeletion,
      'deletion_undone',
      [],
    ],
  ] as const
  for (const [url, operationId, summary, act, message, reasons] of byToken)
    app.post(
      url,
      {
        config: { reasons: ['link_invalid', ...reasons] },
        schema: {
          operationId,
          summary,
          description: 'The token works once.',
          tags,
          body: schemas.ByToken,
          response: { 200: Message },
        },
      },
      async (request) => {
        await act(request.body.token, originOf(request))
        return { message: say(request, message) }
      },
    )
}
