import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/ // RFC 9110, 8.8.3
/** `"3"` is a tag of earlier versions of the service. */
const OURS = /^"(\d{1,9})(?:-[0-9a-z]+)?"$/

/**
 * The entity tag of an object as it is shown: its version, and a time that is shown with it although it is no edit.
 * @param shown RFC 3339
 */
export const etag = (version: number, shown: string): string =>
  `"${version}-${Math.max(0, Date.parse(shown) || 0).toString(36)}"`

/**
 * The versions of which a request with `If-Match` wants one; undefined where it has no such header, or `*`. Only the
 * version counts: what is shown besides is no edit that could be overwritten. A weak tag never matches (RFC 9110,
 * 13.1.1). Throws AppError `precondition_failed` for what is no list of tags.
 */
export function ifMatch(request: FastifyRequest): readonly number[] | undefined {
  const header = request.headers['if-match']?.trim()
  if (header === undefined || header === '*') return undefined
  return tagsOf(header, 'If-Match')
    .flatMap((tag) => OURS.exec(tag)?.[1] ?? [])
    .map(Number)
}

/** Answers with an object and its tag; with 304 alone where the caller has it already (RFC 9110, 13.1.2). */
export function sendTagged<T>(request: FastifyRequest, reply: FastifyReply, tag: string, body: T): FastifyReply {
  reply.header('etag', tag)
  const known = request.headers['if-none-match']?.trim()
  const isKnown = known === '*' || known?.split(',').some((one) => strong(one) === tag)
  return isKnown ? reply.code(304).send() : reply.send(body)
}

const strong = (tag: string): string => tag.trim().replace(/^W\//, '')

function tagsOf(header: string, name: string): string[] {
  const tags = header.split(',').map((tag) => tag.trim())
  if (!tags.every((tag) => TAG.test(tag)))
    throw new AppError(kernelErrors.precondition_failed, {
      detail: `${name} must be the ETag of the object, such as "3-mhsc8w00", or a comma-separated list of ETags.`,
    })
  return tags
}
