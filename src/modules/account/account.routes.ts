import { etag, ifMatch } from '../../kernel/http/etag.ts'
import type { App } from '../../kernel/http/server.ts'
import { callerOf } from '../auth/guard.ts'
import { UserRef } from '../users/users.schemas.ts'
import { UpdateProfile } from './account.schemas.ts'
import type { Account } from './account.service.ts'

const tags = ['Account']

export const accountRoutes = (account: Account) => async (app: App) => {
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
        body: UpdateProfile,
        response: { 200: UserRef },
      },
    },
    async (request, reply) => {
      const user = await account.updateProfile(callerOf(request), request.body, ifMatch(request))
      return reply.header('etag', etag(user.version)).send(user.profile)
    },
  )
}
