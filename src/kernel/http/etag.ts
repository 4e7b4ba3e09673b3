import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/ // RFC 9110, 8.8.3
/** `"3"` without a suffix is the format of earlier versions of the service. */
const OWN_TAG = /^"(\d{1,9})(?:-[0-9a-z]+)?"$/

/**
 * Returns the entity tag of an object: its version, and a time in its representation that changes without an edit.
 * @param shown RFC 3339
 */
export const etag = (version: number, shown: string): string =>
  `"${version}-${Math.max(0, Date.parse(shown) || 0).toString(36)}"`

/**
 * Returns the versions in `If-Match`; undefined if it is absent or `*`. Only the version is compared, and weak tags
 * never match (RFC 9110, 13.1.1). Throws AppError `precondition_failed` if the header is not a list of tags.
 */
export function ifMatch(request: FastifyRequest): readonly number[] | undefined {
  const header = request.headers['if-match']?.trim()
  if (header === undefined || header === '*') return undefined
  return parseTags(header, 'If-Match')
    .flatMap((tag) => OWN_TAG.exec(tag)?.[1] ?? [])
    .map(Number)
}

/** Sends an object with its tag, or 304 if `If-None-Match` has it (RFC 9110, 13.1.2). */
export function sendTagged<T>(request: FastifyRequest, reply: FastifyReply, tag: string, body: T): FastifyReply {
  reply.header('etag', tag)
  const header = request.headers['if-none-match']?.trim()
  const isCurrent = header === '*' || header?.split(',').some((one) => withoutWeakPrefix(one) === tag)
  return isCurrent ? reply.code(304).send() : reply.send(body)
}

const withoutWeakPrefix = (tag: string): string => tag.trim().replace(/^W\//, '')

function parseTags(header: string, name: string): string[] {
  const tags = header.split(',').map((tag) => tag.trim())
  if (!tags.every((tag) => TAG.test(tag)))
    throw new AppError(kernelErrors.precondition_failed, {
      detail: `${name} must be the ETag of the object, such as "3-mhsc8w00", or a comma-separated list of ETags.`,
    })
  return tags
}
