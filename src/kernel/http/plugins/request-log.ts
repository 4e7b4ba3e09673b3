import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createLineWriter, type Log } from '../../log/log.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The signed-in user and session; set by the guard of a route. */
    actor: { userId: string; sessionId: string } | null
    /** Whether the request has been logged, or counted in another log line. */
    isLogged: boolean
  }
  interface FastifyInstance {
    /** Writes the log line of a request, at most once. */
    logRequest(request: FastifyRequest, reply: FastifyReply, isAborted?: boolean): void
  }
}

/** Writes one log line per request, after its response is sent. */
export const requestLog = fp<{ log: Log }>(
  async (app, { log }) => {
    const write = createLineWriter(log, 'request')
    app.decorateRequest('actor', null)
    app.decorateRequest('isLogged', false)
    app.decorate('logRequest', logRequest)
    app.addHook('onResponse', (request, reply, done) => {
      logRequest(request, reply)
      done()
    })

    function logRequest(request: FastifyRequest, reply: FastifyReply, isAborted = false): void {
      if (request.isLogged) return
      request.isLogged = true
      const { failure, actor } = request
      write(reply.statusCode >= 500 ? 'error' : 'info', {
        request_id: request.id,
        client_request_id: clientRequestId(request.headers['x-request-id']),
        method: request.method,
        route: request.routeOptions.url ?? request.url.split('?', 1)[0]?.slice(0, 200),
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 100) / 100,
        ip: app.clientOf(request.raw).ip,
        user_id: actor?.userId,
        session_id: actor?.sessionId,
        reason: failure?.reason,
        aborted: isAborted || undefined,
        err: reply.statusCode >= 500 ? (failure?.options.cause ?? failure) : undefined,
      })
    }
  },
  { name: 'request-log', fastify: '5.x', dependencies: ['client', 'problems'] },
)

/** Returns the `X-Request-ID` of the client if it is well-formed. It is only logged; the service assigns its own id. */
const clientRequestId = (given: string | string[] | undefined): string | undefined =>
  typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : undefined
