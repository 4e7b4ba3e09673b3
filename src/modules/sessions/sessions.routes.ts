import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import { translate } from '../../kernel/http/locale.ts'
import { IdParams, Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/types.ts'
import { callerOf } from '../auth/guard.ts'
import { sessionsMessages } from './sessions.messages.ts'
import { SessionList } from './sessions.schemas.ts'
import type { Sessions } from './sessions.service.ts'

const tags = ['Sessions']

/** Routes for the sessions of the signed-in user. */
export const ownSessionsRoutes = (sessions: Sessions) => async (app: App) => {
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
    async (request) => {
      const caller = callerOf(request)
      return { sessions: await sessions.list(caller.id, caller.session_id) }
    },
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
      const ended = await sessions.revokeOwn(callerOf(request), { only: request.params.id }, originOf(request))
      if (ended === 0) throw new AppError(kernelErrors.not_found)
      return { message: translate(request, sessionsMessages.session_ended) }
    },
  )
}
