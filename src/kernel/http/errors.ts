import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { asAppError } from '../db/errors.ts'
import { AppError } from '../errors/app-error.ts'
import { REASONS, type Reason } from '../errors/reasons.ts'
import { type Locale, negotiateLocale } from '../i18n/locale.ts'
import { fieldMessage } from '../i18n/messages.ts'
import { errorPage, wantsPage } from './error-page.ts'
import { fieldErrors } from './validation.ts'

/** Fastify’s own errors, by their code. */
const FRAMEWORK: Record<string, Reason> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_BAD_URL: 'malformed_request',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
  FST_ERR_HANDLER_TIMEOUT: 'deadline_exceeded',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  ECONNRESET: 'malformed_request',
}

/** What is said instead of messages that repeat the path. */
const ECHOING: Record<string, string> = {
  FST_ERR_BAD_URL: 'The path cannot be decoded: a % must be followed by two hexadecimal digits of UTF-8.',
  FST_ERR_MAX_PARAM_LENGTH: 'A part of the path is longer than 128 characters.',
}

/** Any thrown thing as the error that a caller may see; what we do not know is `internal` and tells nothing. */
export function toAppError(thrown: unknown): AppError {
  const error = asAppError(thrown)
  if (error instanceof AppError) return error
  const { code = '', validation, statusCode, message } = error as FastifyError
  if (validation)
    return new AppError('validation_failed', {
      fields: fieldErrors(validation as Parameters<typeof fieldErrors>[0]),
      detail: 'The input is not of the documented form.',
    })
  const reason = FRAMEWORK[code]
  if (reason)
    return new AppError(reason, {
      detail: ECHOING[code] ?? message,
      cause: error,
      ...(reason === 'deadline_exceeded' ? { retryAfter: 1 } : {}),
    })
  if (statusCode && statusCode >= 400 && statusCode < 500) return new AppError('malformed_request', { detail: message })
  return new AppError('internal', { cause: error })
}

/** The body of every error of the service (contract, section 3; RFC 9457). */
export function problem(error: AppError, locale: Locale, requestId: string): string {
  const { status, action, title, text } = REASONS[error.reason]
  const { fields, detail, members } = error.options
  return JSON.stringify({
    type: `/docs/errors#${error.reason}`,
    title,
    status,
    detail: status === 500 ? title : (detail ?? title),
    error: text[locale],
    code: status,
    reason: error.reason,
    action,
    request_id: requestId,
    ...members,
    ...(fields && {
      fields: fields.map(({ path, reason, values }) => ({
        path,
        reason,
        message: fieldMessage(reason, locale, values),
      })),
    }),
  })
}

/** The headers that belong to an error: when to come back, and how to authenticate (RFC 6750, section 3). */
export function problemHeaders(error: AppError): Record<string, string> {
  const { retryAfter, headers } = error.options
  const { status, action } = REASONS[error.reason]
  return {
    'content-type': 'application/problem+json; charset=utf-8',
    'cache-control': 'no-store',
    ...(retryAfter || status === 429 || status === 503
      ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfter ?? 1))) }
      : {}),
    ...(status === 401 && { 'www-authenticate': challenge(error.reason, action) }),
    ...headers,
  }
}

const challenge = (reason: Reason, action: string): string =>
  reason === 'token_missing' || action === 'fix'
    ? 'Bearer realm="bukhindor"'
    : `Bearer realm="bukhindor", error="invalid_token", error_description="${REASONS[reason].title}"`

/** Answers a request with an error: the one place where errors become responses. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toAppError(thrown)
  request.failure = error
  const locale = negotiateLocale(request.headers['accept-language'])
  reply.code(error.status).headers(problemHeaders(error))
  if (wantsPage(request)) {
    const { headers, body } = errorPage(error, locale, request.id)
    return reply.headers(headers).send(body)
  }
  return reply.send(problem(error, locale, request.id))
}
