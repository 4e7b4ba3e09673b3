import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { negotiateLocale } from '../../i18n/locale.ts'
import { guarded } from '../../lib/guarded.ts'
import { problem, problemHeaders } from '../errors.ts'
import { progressOf } from './slow-readers.ts'

const CHECK_MS = 250

interface Entry {
  reply: FastifyReply
  /** `performance.now()` at which something has to have happened. */
  until: number
  /** The handler is done, and hooks of the answer may still be at work. */
  isAnswering: boolean
  /** Bytes that the connection had been given when the deadline was put off. */
  written: number
}

/**
 * Holds every request to its deadline until its answer is out or its connection is gone: 503 `deadline_exceeded` while
 * no header is out; afterwards the answer has to go on, or its connection is destroyed. Readers that are too slow are
 * `slow-readers.ts`'s. One clock looks after all of them, and an answer that is being sent goes on: `handlerTimeout`
 * would cut it (docs/decisions/0008).
 */
export const deadline = fp<{ milliseconds: number }>(
  async (app, { milliseconds }) => {
    const running = new Map<FastifyRequest, Entry>()

    app.addHook('onRequest', (request, reply, done) => {
      running.set(request, { reply, until: performance.now() + milliseconds, isAnswering: false, written: -1 })
      done()
    })
    // A body has arrived: from here to the answer is another stretch.
    app.addHook('preValidation', (request, _reply, done) => {
      const entry = request.body === undefined ? undefined : running.get(request)
      if (entry) entry.until = performance.now() + milliseconds
      done()
    })
    app.addHook('onSend', (request, _reply, _payload, done) => {
      const entry = running.get(request)
      if (entry) entry.isAnswering = true
      done()
    })
    app.addHook('onResponse', (request, _reply, done) => {
      running.delete(request)
      done()
    })

    function check(request: FastifyRequest, entry: Entry, now: number): void {
      const { reply, until, isAnswering, written } = entry
      const { socket, complete } = request.raw
      const isOut = reply.raw.headersSent
      if (socket.destroyed && (isOut || now >= until)) {
        running.delete(request)
        app.logRequest(request, reply, true)
      } else if (now >= until && complete) {
        // Not complete: the server itself cuts a slow body, 408.
        if (!isOut && !isAnswering) answerLate(request, reply)
        // A hook of the answer, such as the write of an idempotency key, has time-outs of its own; a stream goes on.
        else if (socket.bytesWritten === written && progressOf(socket).unsent === 0) socket.resetAndDestroy()
        entry.until = now + milliseconds
        entry.written = socket.bytesWritten
      }
    }

    const checkAll = () => {
      const now = performance.now()
      for (const [request, entry] of running) guarded(app.log, 'deadlines', check)(request, entry, now)
    }
    const clock = setInterval(guarded(app.log, 'deadlines', checkAll), CHECK_MS).unref()
    app.addHook('onClose', async () => clearInterval(clock))
  },
  { name: 'deadline', fastify: '5.x', dependencies: ['overload', 'slow-readers', 'request-log'] },
)

/** Past Fastify: it would run the hooks of the answer, and a handler that ends meanwhile would answer a second time. */
function answerLate(request: FastifyRequest, reply: FastifyReply): void {
  const error = new AppError(kernelErrors.deadline_exceeded, { retryAfter: 1 })
  request.failure = error
  const body = problem(error, negotiateLocale(request.headers['accept-language']), request.id)
  reply.headers({ ...problemHeaders(error), 'content-length': String(Buffer.byteLength(body)) })
  reply.hijack()
  reply.raw.writeHead(error.status, reply.getHeaders() as OutgoingHttpHeaders).end(body)
}
