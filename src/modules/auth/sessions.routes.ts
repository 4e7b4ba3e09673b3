import { AppError } from '../../kernel/errors.ts'
import { say } from '../../kernel/http/locale.ts'
import { originOf } from '../../kernel/http/origin.ts'
import { IdParams, Message } from '../../kernel/http/schemas.ts'
import type { App } from '../../kernel/http/server.ts'
import { SessionList } from '../sessions/sessions.schemas.ts'
import type { Auth } from './auth.service.ts'
import { callerOf } from './guard.ts'

const tags = ['Sessions']

/** The devices on which the person is signed in. */
export const ownSessionsRoutes = (auth: Auth) => async (app: App) => {
  app.get(
    '/sessions',
    {
      schema: {
        operationId: 'listOwnSessions',
        summary: 'One’s own sessions',
        description: 'Live sessions, the one used last first.',
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
        operationId: 'endOwnSession',
        summary: 'End one of one’s own sessions',
        description: 'The device is signed out from its next request on.',
        tags,
        params: IdParams,
        response: { 200: Message },
      },
    },
    async (request) => {
      if (!(await auth.endOwnSession(callerOf(request), request.params.id, originOf(request))))
        throw new AppError('not_found')
      return { message: say(request, 'session_ended') }
    },
  )
}
