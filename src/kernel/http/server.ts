import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import FindMyWay, { type HTTPMethod } from 'find-my-way'
import type { Config } from '../config/config.ts'
import { deadlinesOf, KEEP_ALIVE_MS, SLOW_REQUEST_CHECK_MS } from '../config/deadlines.ts'
import { AppError } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'
import { guarded } from '../lib/guarded.ts'
import { newId } from '../lib/ids.ts'
import { type Log, plainLog } from '../log/log.ts'
import { addClient, type ClientOf } from './client.ts'
import { addConnectionLimit } from './connection-limit.ts'
import { sendProblem } from './errors.ts'
import { parseJsonBody } from './json.ts'
import { addDeadline } from './plugins/deadline.ts'
import { addOverload, SHED } from './plugins/overload.ts'
import { createSecurity } from './plugins/security-headers.ts'
import { createRawErrors } from './raw-errors.ts'
import { Problem } from './schemas.ts'
import { buildSerializer } from './serialization.ts'
import { createSlowReaderGuard } from './slow-readers.ts'
import { addStrictHttp } from './strict-http.ts'
import type { App, Lifecycle } from './types.ts'
import { createValidatorCompiler } from './validation.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the request failed with, for its log line. */
    failure: AppError | null
    /** Who is asking, for its log line; set by the guard. */
    actor: { userId: string; sessionId: string } | null
    /** Its line is in the log. */
    isLogged: boolean
  }
}

/** Limits of one request, in bytes. */
const BODY_LIMIT = 100 * 1024
const HEADER_LIMIT = 16 * 1024

/** The HTTP server without any route: ids, limits, parsing, security headers, errors, one log line per request. */
export function createServer(config: Config, log: Log, lifecycle: Lifecycle): App {
  const deadlines = deadlinesOf(config.requestTimeout)
  const security = createSecurity(config)
  const plain = plainLog(log)
  const slowReaders = createSlowReaderGuard(log)
  const rawErrors = createRawErrors(security, log)
  const app: App = Fastify({
    logger: false,
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
    genReqId: () => newId(),
    clientErrorHandler: rawErrors.write,
    frameworkErrors: (error, request, reply) => {
      try {
        slowReaders.watch(request.raw.socket)
        security.write(request, reply)
        reply.raw.once(
          'finish',
          guarded(log, 'request log', () => logRequest(log, request, reply, clientOf)),
        )
        sendProblem(error, request, reply)
      } catch (err) {
        log.error({ err, request_id: request.id }, 'failed to send an error response')
        request.raw.socket.destroy()
      }
    },
    exposeHeadRoutes: true,
    schemaController: { compilersFactory: { buildSerializer } },
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 128 },
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as App

  app.decorateRequest('failure', null)
  app.decorateRequest('actor', null)
  const clientOf = addClient(app, config, log)
  app.decorateRequest('isLogged', false)
  app.setValidatorCompiler(createValidatorCompiler())
  app.addSchema(Problem)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      const encoding = request.headers['content-encoding']
      if (encoding && encoding !== 'identity')
        throw new AppError(kernelErrors.unsupported_media_type, {
          detail: `The body must not be compressed (Content-Encoding: ${encoding}).`,
        })
      done(null, parseJsonBody(body as Buffer))
    } catch (error) {
      done(error as Error)
    }
  })
  app.addHook('onRequest', (request, _reply, done) => {
    slowReaders.watch(request.raw.socket)
    rawErrors.note(request.raw)
    done()
  })
  app.addHook('onClose', async () => slowReaders.stop())
  security.add(app)
  addStrictHttp(app)
  addConnectionLimit(app, log)
  addOverload(app, log)
  addDeadline(app, deadlines.request, log, (request, reply) => logRequest(plain, request, reply, clientOf, true))
  addDraining(app, lifecycle)
  app.addHook('onResponse', (request, reply, done) => {
    if (!request.raw.complete) rawErrors.silence(request.raw.socket)
    if (request.failure !== SHED) logRequest(plain, request, reply, clientOf)
    done()
  })
  app.setErrorHandler(sendProblem)
  addNotFound(app)
  return app
}

/** A caller's own id of a request, for the log alone: that by which we name it is always ours. */
const clientRequestId = (given: string | string[] | undefined): string | undefined =>
  typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : undefined

/** The last request of a connection says so, and the client opens its next one at another instance. */
function addDraining(app: App, lifecycle: Lifecycle): void {
  app.addHook('onRequest', (_request, reply, done) => {
    if (lifecycle.draining) reply.header('connection', 'close')
    done()
  })
}

function logRequest(
  log: Log,
  request: FastifyRequest,
  reply: FastifyReply,
  clientOf: ClientOf,
  isAborted = false,
): void {
  if (request.isLogged) return
  request.isLogged = true
  const { failure, actor } = request
  const line = {
    request_id: request.id,
    client_request_id: clientRequestId(request.headers['x-request-id']),
    method: request.method,
    route: request.routeOptions.url ?? request.url.split('?', 1)[0]?.slice(0, 200),
    status: reply.statusCode,
    duration_ms: Math.round(reply.elapsedTime * 100) / 100,
    ip: clientOf(request.raw).ip,
    user_id: actor?.userId,
    session_id: actor?.sessionId,
    reason: failure?.reason,
    aborted: isAborted || undefined,
    err: reply.statusCode >= 500 ? (failure?.options.cause ?? failure) : undefined,
  }
  if (reply.statusCode >= 500) log.error(line, 'request')
  else log.info(line, 'request')
}

/** Unknown paths are 404; known ones with another method 405, with `Allow` (RFC 9110, 15.5.6). */
function addNotFound(app: App): void {
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
}
