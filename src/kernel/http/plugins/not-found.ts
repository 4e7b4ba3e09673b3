import fp from 'fastify-plugin'
import FindMyWay, { type HTTPMethod } from 'find-my-way'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { sendProblem } from '../errors.ts'

/** Responds to unknown paths with 404 and to unsupported methods with 405 and `Allow` (RFC 9110, 15.5.6). */
export const notFound = fp(
  async (app) => {
    const router = FindMyWay({ maxParamLength: 128 })
    const methods = new Set<string>()
    app.addHook('onRoute', ({ method, url }) => {
      for (const name of [method].flat()) {
        methods.add(name)
        if (!router.hasRoute(name as HTTPMethod, url)) router.on(name as HTTPMethod, url, () => {})
      }
    })
    app.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0] ?? '/'
      const allowed = [...methods].filter((method) => router.find(method as HTTPMethod, path))
      const error = allowed.length
        ? new AppError(kernelErrors.method_not_allowed, {
            detail: `${request.method} is not supported on this path. Allowed methods: ${allowed.join(', ')}.`,
            headers: { allow: allowed.join(', ') },
          })
        : new AppError(kernelErrors.not_found, {
            detail: `${path.slice(0, 200)} does not exist. See /docs for the API documentation.`,
          })
      return sendProblem(error, request, reply)
    })
  },
  { name: 'not-found', fastify: '5.x', dependencies: ['problems'] },
)
