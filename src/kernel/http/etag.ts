import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'

/** The entity tag of a version (RFC 9110, 8.8.3). */
export const etag = (version: number): string => `"${version}"`

/**
 * The version that a request with `If-Match` insists on; undefined where it has none, or `*`.
 * Throws AppError `precondition_failed` for a tag that none of ours can be.
 */
export function ifMatch(request: FastifyRequest): number | undefined {
  const header = request.headers['if-match']?.trim()
  if (header === undefined || header === '*') return undefined
  const version = /^"(\d{1,9})"$/.exec(header)?.[1]
  if (version === undefined)
    throw new AppError('precondition_failed', { detail: 'If-Match must be the ETag of the object, such as "3".' })
  return Number(version)
}
