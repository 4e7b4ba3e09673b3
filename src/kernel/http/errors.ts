import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { asAppError } from '../db/errors.ts'
import { AppError, type AppErrorOptions, type ErrorDefinition } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'
import { type Locale, negotiateLocale } from '../i18n/locale.ts'
import { fieldMessage } from '../i18n/messages.ts'
import { errorPage, prefersPage } from './error-page.ts'
import { fieldErrors } from './validation.ts'

/** Errors of Fastify and Node.js by code. */
const FRAMEWORK_ERRORS: Record<string, ErrorDefinition> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: kernelErrors.unsupported_media_type,
  FST_ERR_CTP_BODY_TOO_LARGE: kernelErrors.body_too_large,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: kernelErrors.malformed_request,
  FST_ERR_CTP_EMPTY_JSON_BODY: kernelErrors.malformed_json,
  FST_ERR_BAD_URL: kernelErrors.malformed_request,
  FST_ERR_MAX_PARAM_LENGTH: kernelErrors.uri_too_long,
  FST_ERR_HANDLER_TIMEOUT: kernelErrors.deadline_exceeded,
  ERR_HTTP_REQUEST_TIMEOUT: kernelErrors.request_timeout,
  ECONNRESET: kernelErrors.malformed_request,
}

/** Details that replace messages which would repeat the path. */
const SAFE_DETAILS: Record<string, string> = {
  FST_ERR_BAD_URL:
    'The path cannot be decoded: each % must be followed by two hexadecimal digits, and the result must be UTF-8.',
  FST_ERR_MAX_PARAM_LENGTH: 'A path segment is longer than 128 characters.',
}

/** Converts any thrown value to the error that the client receives; unknown ones become `internal` without details. */
export function toAppError(thrown: unknown): AppError {
  const error = asAppError(thrown)
  if (error instanceof AppError) return error
  const { code = '', validation, statusCode, message } = error as FastifyError
  if (validation)
    return new AppError(kernelErrors.validation_failed, {
      fields: fieldErrors(validation as Parameters<typeof fieldErrors>[0]),
    })
  const definition = FRAMEWORK_ERRORS[code]
  if (definition)
    return new AppError(definition, {
      detail: SAFE_DETAILS[code] ?? message,
      cause: error,
      ...(definition === kernelErrors.deadline_exceeded ? { retryAfter: 1 } : {}),
    })
  if (statusCode && statusCode >= 400 && statusCode < 500)
    return new AppError(kernelErrors.malformed_request, { detail: message })
  return new AppError(kernelErrors.internal, { cause: error })
}

/** Returns the JSON body of an error (RFC 9457). */
export function problem(error: AppError, locale: Locale, requestId: string): string {
  const { status, action, title, text, about, showsFields } = error.definition
  const { fields, detail, members } = error.options
  return JSON.stringify({
    type: `/docs/errors#${error.reason}`,
    title,
    status,
    detail: status === 500 ? about : (detail ?? (fields ? explainFields(title, fields) : about)),
    error: [text[locale], ...(showsFields && fields ? fields.map((fault) => fieldMessage(fault, locale)) : [])].join(
      ' ',
    ),
    code: status,
    reason: error.reason,
    action,
    request_id: requestId,
    ...members,
    ...(fields && {
      fields: fields.map((fault) => ({
        path: fault.path,
        reason: fault.reason,
        message: fieldMessage(fault, locale),
      })),
    }),
  })
}

/** Describes each field error: `Request validation failed: /limit: Must be at most 100.` */
const explainFields = (title: string, fields: NonNullable<AppErrorOptions['fields']>): string =>
  `${title}: ${fields.map((fault) => `${fault.path}: ${fieldMessage(fault, 'en')}`).join(' ')}`

/** Returns the headers of an error, with `Retry-After` and `WWW-Authenticate` (RFC 6750, section 3) if applicable. */
export function problemHeaders(error: AppError): Record<string, string> {
  const { retryAfter, headers } = error.options
  const { status, challenge, title } = error.definition
  return {
    'content-type': 'application/problem+json; charset=utf-8',
    'cache-control': 'no-store',
    ...(retryAfter || status === 429 || status === 503
      ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfter ?? 1))) }
      : {}),
    ...(status === 401 && {
      'www-authenticate': challenge
        ? `Bearer realm="bukhindor", error="${challenge}", error_description="${title}"`
        : 'Bearer realm="bukhindor"',
    }),
    ...headers,
  }
}

/** Sends an error as JSON or as a page. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toAppError(thrown)
  request.failure = error
  const locale = negotiateLocale(request.headers['accept-language'])
  reply.code(error.status).headers(problemHeaders(error))
  if (prefersPage(request)) {
    const { headers, body } = errorPage(error, locale, request.id)
    return reply.headers(headers).send(body)
  }
  return reply.send(problem(error, locale, request.id))
}
