import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { parseJsonBody } from '../json.ts'

/** Parses JSON bodies. Refuses other media types and compressed bodies with 415. */
export const jsonBody = fp(
  async (app) => {
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
  },
  { name: 'json-body', fastify: '5.x' },
)
