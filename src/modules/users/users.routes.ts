import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import { ifMatch, sendTagged } from '../../kernel/http/etag.ts'
import { localeOf, translate } from '../../kernel/http/locale.ts'
import { IdParams, Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/types.ts'
import { callerOf } from '../auth/guard.ts'
import { credentialsErrors } from '../credentials/credentials.errors.ts'
import { sessionsMessages } from '../sessions/sessions.messages.ts'
import { Revoked, SessionList, SessionParams } from '../sessions/sessions.schemas.ts'
import type { UserManagement } from './user-management.service.ts'
import { usersErrors } from './users.errors.ts'
import { usersMessages } from './users.messages.ts'
import { CreateUser, ListUsers, UpdateUser, UserList, UserRef } from './users.schemas.ts'
import { userEtag } from './users.service.ts'

const tags = ['Users']

/** Routes for administrators. */
export const usersRoutes = (userManagement: UserManagement) => async (app: App) => {
  app.get(
    '',
    {
      config: { errors: [kernelErrors.invalid_cursor] },
      schema: {
        operationId: 'listUsers',
        summary: 'List users',
        description: 'Returns a page of users, filtered and sorted. Unknown parameters are rejected.',
        tags,
        querystring: ListUsers,
        response: { 200: UserList },
      },
    },
    (request) => userManagement.list(request.query, originOf(request)),
  )

  app.post(
    '',
    {
      config: { errors: [credentialsErrors.password_refused, usersErrors.email_taken], headers: ['ETag', 'Location'] },
      schema: {
        operationId: 'createUser',
        summary: 'Create a user',
        description: 'Creates an account. Without `password`, the user receives a link by e-mail to choose one.',
        tags,
        body: CreateUser,
        response: { 201: UserRef },
      },
    },
    async (request, reply) => {
      const user = await userManagement.create(request.body, localeOf(request), originOf(request))
      return reply
        .code(201)
        .headers({ etag: userEtag(user), location: `/api/v1/users/${user.id}` })
        .send(userManagement.toUser(user))
    },
  )

  app.delete(
    '/:id',
    {
      config: { errors: [usersErrors.last_admin, kernelErrors.precondition_failed], headers: ['If-Match'] },
      schema: {
        operationId: 'deleteUser',
        summary: 'Delete a user',
        description:
          'Permanently deletes the user and ends all their sessions. With `If-Match`, only if the user has not changed.',
        tags,
        params: IdParams,
        response: { 200: Message(usersMessages.user_deleted) },
      },
    },
    async (request) => {
      await userManagement.remove(request.params.id, originOf(request), ifMatch(request))
      return { message: translate(request, usersMessages.user_deleted) }
    },
  )

  app.post(
    '/:id/reset-password',
    {
      schema: {
        operationId: 'sendUserPasswordReset',
        summary: 'Send a password reset link to a user',
        description:
          'Sends the user a link to choose a new password. Administrators cannot set the password of an existing user.',
        tags,
        params: IdParams,
        response: { 200: Message(usersMessages.reset_sent_to_user) },
      },
    },
    async (request) => {
      await userManagement.sendReset(request.params.id, originOf(request))
      return { message: translate(request, usersMessages.reset_sent_to_user) }
    },
  )

  app.get(
    '/:id/sessions',
    {
      schema: {
        operationId: 'listUserSessions',
        summary: 'List the sessions of a user',
        description: 'Returns the active sessions of the user, the most recently used first.',
        tags,
        params: IdParams,
        response: { 200: SessionList },
      },
    },
    async (request) => ({
      sessions: await userManagement.sessionsOf(request.params.id, callerOf(request), originOf(request)),
    }),
  )

  app.delete(
    '/:id/sessions',
    {
      schema: {
        operationId: 'endUserSessions',
        summary: 'End all sessions of a user',
        description: 'Signs the user out on every device.',
        tags,
        params: IdParams,
        response: { 200: Revoked },
      },
    },
    async (request) => ({
      message: translate(request, sessionsMessages.sessions_ended),
      revoked: await userManagement.endSessions(request.params.id, originOf(request)),
    }),
  )

  app.delete(
    '/:id/sessions/:sid',
    {
      schema: {
        operationId: 'endUserSession',
        summary: 'End a session of a user',
        description: 'Signs the user out on one device.',
        tags,
        params: SessionParams,
        response: { 200: Revoked },
      },
    },
    async (request) => {
      const revoked = await userManagement.endSessions(request.params.id, originOf(request), request.params.sid)
      return { message: translate(request, sessionsMessages.session_ended), revoked }
    },
  )
}

/** Routes for administrators, and for users under their own id. */
export const userRoutes = (userManagement: UserManagement) => async (app: App) => {
  app.get(
    '/:id',
    {
      config: { headers: ['ETag', 'If-None-Match'] },
      schema: {
        operationId: 'getUser',
        summary: 'Get a user',
        description:
          'Returns the user, with an `ETag` for `If-Match`. With `If-None-Match`, responds with 304 if the user has not changed.',
        tags,
        params: IdParams,
        response: { 200: UserRef },
      },
    },
    async (request, reply) => {
      const user = await userManagement.view(request.params.id, originOf(request))
      return sendTagged(request, reply, userEtag(user), userManagement.toUser(user))
    },
  )

  for (const method of ['PUT', 'PATCH'] as const)
    app.route({
      method,
      url: '/:id',
      config: {
        errors: [usersErrors.email_taken, usersErrors.last_admin, kernelErrors.precondition_failed],
        headers: ['ETag', 'If-Match'],
      },
      schema: {
        operationId: method === 'PUT' ? 'updateUser' : 'patchUser',
        summary: 'Update a user',
        description:
          'Fields that are `null` or absent stay unchanged, with PUT as with PATCH. Users can change their own `name` and ' +
          '`locale`; administrators can change every field. With `If-Match`, the update fails if the user has changed.',
        tags,
        params: IdParams,
        body: UpdateUser,
        response: { 200: UserRef },
      },
      handler: async (request, reply) => {
        const user = await userManagement.update(
          callerOf(request),
          request.params.id,
          request.body,
          originOf(request),
          ifMatch(request),
        )
        return reply.header('etag', userEtag(user)).send(userManagement.toUser(user))
      },
    })
}
