import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { negotiateLocale } from '../../i18n/locale.ts'
import { guarded } from '../../lib/guarded.ts'
import { problem, problemHeaders } from '../errors.ts'
import { progressOf } from './slow-readers.ts'

declare module 'fastify' {
  interface FastifyRequest {
    deadlineEntry: Entry | null
  }
}

const CHECK_MS = 250

interface Entry {
  /** Its place in the list. */
  index: number
  request: FastifyRequest
  reply: FastifyReply
  /** The next deadline, by `performance.now()`. */
  until: number
  /** The handler is done; `onSend` hooks may still be running. */
  isSending: boolean
  /** `socket.bytesWritten` when the deadline was last extended. */
  bytesWritten: number
}

/**
 * Enforces the deadline of requests: sends 503 `deadline_exceeded` if no headers are sent yet; later, destroys
 * connections whose response makes no progress. One interval checks all requests.
 * @see docs/decisions/0008-own-waits-on-the-hot-path.md
 */
export const deadline = fp<{ milliseconds: number }>(
  async (app, { milliseconds }) => {
    // Not a Map: the tables that it replaces, and thereby most requests, would stay in memory until a full collection.
    const running: Entry[] = []
    app.decorateRequest('deadlineEntry', null)

    app.addHook('onRequest', (request, reply, done) => {
      const until = performance.now() + milliseconds
      request.deadlineEntry = { index: running.length, request, reply, until, isSending: false, bytesWritten: -1 }
      running.push(request.deadlineEntry)
      done()
    })
    // The body has arrived: the deadline starts again.
    app.addHook('preValidation', (request, _reply, done) => {
      const entry = request.deadlineEntry
      if (entry && request.body !== undefined) entry.until = performance.now() + milliseconds
      done()
    })
    app.addHook('onSend', (request, _reply, _payload, done) => {
      if (request.deadlineEntry) request.deadlineEntry.isSending = true
      done()
    })
    app.addHook('onResponse', (request, _reply, done) => {
      remove(request)
      done()
    })

    /** Moves the last entry to the place of a request that is done. */
    function remove(request: FastifyRequest): void {
      const entry = request.deadlineEntry
      const last = entry && running.pop()
      if (!last) return
      request.deadlineEntry = null
      if (last === entry) return
      last.index = entry.index
      running[entry.index] = last
    }

    function check(entry: Entry, now: number): void {
      const { request, reply, until, isSending, bytesWritten } = entry
      const { socket, complete } = request.raw
      const areHeadersSent = reply.raw.headersSent
      if (socket.destroyed && (areHeadersSent || now >= until)) {
        remove(request)
        app.logRequest(request, reply, true)
      } else if (now >= until && complete) {
        // The server responds to incomplete requests itself, with 408.
        if (!areHeadersSent && !isSending) sendTimeout(request, reply)
        // `onSend` hooks have their own timeouts, and a response that makes progress continues.
        else if (socket.bytesWritten === bytesWritten && progressOf(socket).unsent === 0) socket.resetAndDestroy()
        entry.until = now + milliseconds
        entry.bytesWritten = socket.bytesWritten
      }
    }

    const checkAll = () => {
      const now = performance.now()
      for (const entry of running.slice()) guarded(app.log, 'deadlines', check)(entry, now)
    }
    const timer = setInterval(guarded(app.log, 'deadlines', checkAll), CHECK_MS).unref()
    app.addHook('onClose', async () => clearInterval(timer))
  },
  { name: 'deadline', fastify: '5.x', dependencies: ['overload', 'slow-readers', 'request-log'] },
)

/** Bypasses Fastify, which would run `onSend` hooks, and hijacks the reply, since the handler may still reply. */
function sendTimeout(request: FastifyRequest, reply: FastifyReply): void {
  const error = new AppError(kernelErrors.deadline_exceeded, { retryAfter: 1 })
  request.failure = error
  const body = problem(error, negotiateLocale(request.headers['accept-language']), request.id)
  reply.headers({ ...problemHeaders(error), 'content-length': String(Buffer.byteLength(body)) })
  reply.hijack()
  reply.raw.writeHead(error.status, reply.getHeaders() as OutgoingHttpHeaders).end(body)
}
