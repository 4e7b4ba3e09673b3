import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { LogController } from 'fastify'
import { deadlinesOf, KEEP_ALIVE_MS, SLOW_REQUEST_CHECK_MS } from '../config/deadlines.ts'
import { guarded } from '../lib/guarded.ts'
import { newId } from '../lib/ids.ts'
import type { Log } from '../log/log.ts'
import { sendProblem } from './errors.ts'
import { type ClientConfig, client } from './plugins/client.ts'
import { connectionLimit } from './plugins/connection-limit.ts'
import { deadline } from './plugins/deadline.ts'
import { draining } from './plugins/draining.ts'
import { jsonBody } from './plugins/json-body.ts'
import { notFound } from './plugins/not-found.ts'
import { overload } from './plugins/overload.ts'
import { problems } from './plugins/problems.ts'
import { createRawErrors, rawErrors } from './plugins/raw-errors.ts'
import { requestLog } from './plugins/request-log.ts'
import { createSecurity, type SecurityConfig, securityHeaders } from './plugins/security-headers.ts'
import { slowReaders } from './plugins/slow-readers.ts'
import { strictHttp } from './plugins/strict-http.ts'
import { childLoggerFactory } from './request-logger.ts'
import { buildSerializer } from './serialization.ts'
import type { App, Lifecycle } from './types.ts'
import { createValidatorCompiler } from './validation.ts'

export interface ServerConfig extends ClientConfig, SecurityConfig {
  /** Milliseconds. */
  requestTimeout: number
}

/** Limits of one request, in bytes. */
const BODY_LIMIT = 100 * 1024
const HEADER_LIMIT = 16 * 1024

/**
 * Creates the HTTP server without routes: ids, limits, parsing, security headers, errors, request log.
 * @param requestHeaders request headers of modules that CORS allows
 */
export async function createServer(
  config: ServerConfig,
  log: Log,
  lifecycle: Lifecycle,
  requestHeaders: readonly string[] = [],
): Promise<App> {
  const deadlines = deadlinesOf(config.requestTimeout)
  const security = createSecurity(config, requestHeaders)
  const errors = createRawErrors(security, log)
  const app: App = Fastify({
    loggerInstance: log,
    childLoggerFactory,
    // `plugins/request-log.ts` writes one line for each request, instead of two.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => newId(),
    bodyLimit: BODY_LIMIT,
    requestTimeout: deadlines.request,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      maxHeaderSize: HEADER_LIMIT,
      headersTimeout: deadlines.headers,
      connectionsCheckingInterval: SLOW_REQUEST_CHECK_MS,
    },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: errors.write,
    // For example, a path that cannot be parsed. Hooks do not run for such requests.
    frameworkErrors: (error, request, reply) => {
      try {
        security.write(request, reply)
        reply.raw.once(
          'finish',
          guarded(log, 'request log', () => app.logRequest(request, reply)),
        )
        sendProblem(error, request, reply)
      } catch (err) {
        request.log.error({ err }, 'failed to send an error response')
        request.raw.socket.destroy()
      }
    },
    exposeHeadRoutes: true,
    schemaController: { compilersFactory: { buildSerializer } },
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 128 },
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as App
  app.setValidatorCompiler(createValidatorCompiler())

  // Hooks run in this order; each plugin declares its dependencies.
  await app.register(client, { config })
  await app.register(rawErrors, { errors })
  await app.register(securityHeaders, { security })
  await app.register(problems)
  await app.register(requestLog, { log })
  await app.register(strictHttp)
  await app.register(connectionLimit)
  await app.register(overload)
  await app.register(slowReaders)
  await app.register(deadline, { milliseconds: deadlines.request })
  await app.register(draining, { lifecycle })
  await app.register(jsonBody)
  await app.register(notFound)
  return app
}
