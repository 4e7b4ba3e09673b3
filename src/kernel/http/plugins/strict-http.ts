import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'

/**
 * Refuses requests that Node.js accepts but a proxy could interpret differently (request smuggling; RFC 9112, 3.2, 6.1 and
 * 6.3), and unknown expectations (RFC 9110, 10.1.1).
 */
export const strictHttp = fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      const violation = findViolation(request.raw)
      if (!violation) return done()
      reply.header('connection', 'close')
      done(violation)
    })
    // By default, Node.js would respond without a body.
    app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  },
  { name: 'strict-http', fastify: '5.x', dependencies: ['problems'] },
)

const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i // as in Node.js

function findViolation({ headers, rawHeaders, httpVersionMinor }: IncomingMessage): AppError | undefined {
  const encoding = headers['transfer-encoding']
  if (encoding !== undefined && httpVersionMinor === 0)
    return new AppError(kernelErrors.malformed_request, { detail: 'Transfer-Encoding is not allowed in HTTP/1.0.' })
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked')
    return new AppError(kernelErrors.malformed_request, {
      detail: 'Transfer-Encoding must be "chunked".',
    })
  let hosts = 0
  for (let n = 0; n < rawHeaders.length; n += 2) if (isHost(rawHeaders[n] as string)) hosts++
  if (hosts > 1)
    return new AppError(kernelErrors.malformed_request, { detail: 'The request must have exactly one Host header.' })
  if (headers.expect !== undefined && httpVersionMinor > 0 && !CONTINUE.test(headers.expect))
    return new AppError(kernelErrors.expectation_failed, { detail: 'Expect must be "100-continue".' })
}

const isHost = (name: string): boolean => name.length === 4 && name.toLowerCase() === 'host'
