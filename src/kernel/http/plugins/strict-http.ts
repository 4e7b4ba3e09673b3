import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'

/**
 * Refuses what the parser lets through although another reader of the same bytes, such as a proxy, could take it for
 * something else (RFC 9112, 3.2, 6.1 and 6.3), and expectations that are not met (RFC 9110, 10.1.1).
 */
export const strictHttp = fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      const fault = faultOf(request.raw)
      if (!fault) return done()
      reply.header('connection', 'close')
      done(fault)
    })
    // Node would answer by itself, without a body.
    app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  },
  { name: 'strict-http', fastify: '5.x', dependencies: ['problems'] },
)

const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i // as Node reads it

function faultOf({ headers, rawHeaders, httpVersionMinor }: IncomingMessage): AppError | undefined {
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
