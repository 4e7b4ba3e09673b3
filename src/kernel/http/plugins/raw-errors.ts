import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import { AppError, type ErrorDefinition } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { newId } from '../../lib/ids.ts'
import type { Log } from '../../log/log.ts'
import { problem, problemHeaders } from '../errors.ts'
import type { Security } from './security-headers.ts'

interface ClientError extends Error {
  code?: string
  /** The chunk that could not be parsed: a Buffer, although its type is `any`. */
  rawPacket?: unknown
}

const CLIENT_ERRORS: Record<string, ErrorDefinition> = {
  ERR_HTTP_REQUEST_TIMEOUT: kernelErrors.request_timeout,
  HPE_HEADER_OVERFLOW: kernelErrors.headers_too_large,
}
const ORIGIN = /\r\norigin:[ \t]*([^\r\n]{1,300})\r\n/i

/**
 * Writes error responses to sockets without a request: invalid HTTP, timeouts, headers that are too large. The origin
 * for CORS is taken from the packet or an earlier request; if unknown, it is `*`, since the responses contain no user
 * data.
 */
export function createRawErrors(security: Pick<Security, 'fixed' | 'corsFor'>, log: Log) {
  /** Sockets whose request was answered before it was complete: the rest of it gets no response. */
  const suppressed = new WeakSet<Socket>()
  const origins = new WeakMap<Socket, string>()

  const originOf = (socket: Socket, packet: unknown): string | undefined =>
    ORIGIN.exec(Buffer.isBuffer(packet) ? packet.toString('latin1') : '')?.[1]?.trim() ?? origins.get(socket)

  function write(error: ClientError, socket: Socket): void {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable || suppressed.has(socket))
      return void socket.destroy()
    const failure = new AppError(CLIENT_ERRORS[error.code ?? ''] ?? kernelErrors.malformed_request)
    const { status, reason } = failure
    const id = newId()
    const body = problem(failure, 'en', id)
    const headers = {
      ...security.fixed,
      ...security.corsFor(originOf(socket, error.rawPacket), '*'),
      ...problemHeaders(failure),
      vary: 'Origin',
      'x-request-id': id,
      connection: 'close',
      'content-length': String(Buffer.byteLength(body)),
    }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
    log.info({ request_id: id, status, ip: socket.remoteAddress, reason }, 'request')
  }

  return {
    write(error: ClientError, socket: Socket): void {
      try {
        write(error, socket)
      } catch (err) {
        log.error({ err }, 'failed to send an error response')
        socket.destroy()
      }
    },
    /** Remembers the origin of the requests on a socket. */
    rememberOrigin({ headers: { origin }, socket }: IncomingMessage): void {
      if (origin !== undefined) origins.set(socket, origin)
    },
    /** Suppresses further error responses on a socket. */
    suppress: (socket: Socket) => void suppressed.add(socket),
  }
}

/** Passes the origins and incomplete requests of sockets to `createRawErrors`. */
export const rawErrors = fp<{ errors: ReturnType<typeof createRawErrors> }>(
  async (app, { errors }) => {
    app.addHook('onRequest', (request, _reply, done) => {
      errors.rememberOrigin(request.raw)
      done()
    })
    app.addHook('onResponse', (request, _reply, done) => {
      if (!request.raw.complete) errors.suppress(request.raw.socket)
      done()
    })
  },
  { name: 'raw-errors', fastify: '5.x' },
)
