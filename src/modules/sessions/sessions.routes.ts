import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import { translate } from '../../kernel/http/locale.ts'
import { IdParams, Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/types.ts'
import type { Auth } from '../auth/auth.service.ts'
import { callerOf } from '../auth/guard.ts'
import { sessionsMessages } from './sessions.messages.ts'
import { SessionList } from './sessions.schemas.ts'

const tags = ['Sessions']

/** The devices on which the person is signed in. */
export const ownSessionsRoutes = (auth: Auth) => async (app: App) => {
  app.get(
    '/sessions',
    {
      schema: {
        operationId: 'listCurrentUserSessions',
        summary: 'List my sessions',
        description: 'Returns the active sessions of the user, the most recently used first.',
        tags,
        response: { 200: SessionList },
      },
    },
    async (request) => ({ sessions: await auth.sessionsOf(callerOf(request)) }),
  )

  app.delete(
    '/sessions/:id',
    {
      schema: {
        operationId: 'endCurrentUserSession',
        summary: 'End one of my sessions',
        description: 'Signs that device out. Its tokens stop working immediately.',
        tags,
        params: IdParams,
        response: { 200: Message(sessionsMessages.session_ended) },
      },
    },
    async (request) => {
      if (!(await auth.endOwnSession(callerOf(request), request.params.id, originOf(request))))
        throw new AppError(kernelErrors.not_found)
      return { message: translate(request, sessionsMessages.session_ended) }
    },
  )
}
