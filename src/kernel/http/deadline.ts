import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'
import { sendProblem } from './errors.ts'
import type { App } from './server.ts'

/** How often it is looked whether a request is late, in ms. */
const LOOK = 250

/**
 * Answers a request that is not done at its deadline with 503 `deadline_exceeded`. One clock looks after all of them: a
 * timer for each (Fastify's `handlerTimeout`) would cost a fifth of what a small request does.
 */
export function addDeadline(app: App, milliseconds: number): void {
  const running = new Map<FastifyRequest, { reply: FastifyReply; until: number }>()

  app.addHook('onRequest', (request, reply, done) => {
    running.set(request, { reply, until: performance.now() + milliseconds })
    done()
  })
  // A body has arrived: from here to the answer is another stretch.
  app.addHook('preValidation', (request, reply, done) => {
    if (request.body !== undefined && running.delete(request))
      running.set(request, { reply, until: performance.now() + milliseconds })
    done()
  })
  app.addHook('onResponse', (request, _reply, done) => {
    running.delete(request)
    done()
  })

  const clock = setInterval(() => {
    const now = performance.now()
    for (const [request, { reply, until }] of running) {
      if (until > now) return // They are in the order of their arrival.
      if (!request.raw.complete) continue // The server itself cuts a slow body: 408.
      running.delete(request)
      if (!reply.sent) sendProblem(new AppError('deadline_exceeded', { retryAfter: 1 }), request, reply)
    }
  }, LOOK).unref()
  app.addHook('onClose', async () => clearInterval(clock))
}
