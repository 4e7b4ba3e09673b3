import fp from 'fastify-plugin'
import type { AppError } from '../../errors/app-error.ts'
import { sendProblem } from '../errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The error of the request, for its log line. */
    failure: AppError | null
  }
}

/** Sends errors of handlers and hooks as `application/problem+json` (RFC 9457). */
export const problems = fp(
  async (app) => {
    app.decorateRequest('failure', null)
    app.setErrorHandler(sendProblem)
  },
  { name: 'problems', fastify: '5.x', dependencies: ['security-headers'] },
)
