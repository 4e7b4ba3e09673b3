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
  /** The bytes that could not be parsed, as far as they had come at once: a Buffer, whatever its type says. */
  rawPacket?: unknown
}

const CLIENT_ERRORS: Record<string, ErrorDefinition> = {
  ERR_HTTP_REQUEST_TIMEOUT: kernelErrors.request_timeout,
  HPE_HEADER_OVERFLOW: kernelErrors.headers_too_large,
}
const ORIGIN = /\r\norigin:[ \t]*([^\r\n]{1,300})\r\n/i

/**
 * Writes errors on connections without a request to answer: what arrives is no HTTP, too slow, or its headers are too
 * large. A page of another origin reads them as well, where its origin is in what has come, or in a request before;
 * where neither tells, anybody's may: there is nothing of a person in these answers.
 */
export function createRawErrors(security: Pick<Security, 'fixed' | 'corsFor'>, log: Log) {
  /** Connections on which a request was answered before it had arrived whole: the rest gets no answer. */
  const answered = new WeakSet<Socket>()
  const origins = new WeakMap<Socket, string>()

  const originOf = (socket: Socket, packet: unknown): string | undefined =>
    ORIGIN.exec(Buffer.isBuffer(packet) ? packet.toString('latin1') : '')?.[1]?.trim() ?? origins.get(socket)

  function write(error: ClientError, socket: Socket): void {
    if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable || answered.has(socket))
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
    /** Remembers where the requests of a connection come from. */
    note({ headers: { origin }, socket }: IncomingMessage): void {
      if (origin !== undefined) origins.set(socket, origin)
    },
    /** No further answer on a connection, whatever is wrong with what else it brings. */
    silence: (socket: Socket) => void answered.add(socket),
  }
}

/** Tells those errors what the requests of a connection have told. */
export const rawErrors = fp<{ errors: ReturnType<typeof createRawErrors> }>(
  async (app, { errors }) => {
    app.addHook('onRequest', (request, _reply, done) => {
      errors.note(request.raw)
      done()
    })
    app.addHook('onResponse', (request, _reply, done) => {
      if (!request.raw.complete) errors.silence(request.raw.socket)
      done()
    })
  },
  { name: 'raw-errors', fastify: '5.x' },
)
