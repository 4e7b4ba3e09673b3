import { STATUS_CODES } from 'node:http'

import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifySchema, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { TSchema } from 'typebox'
import type { ErrorDefinition } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'
import { type Document, finishDocument, OPTIONAL_BODY, type RouteReferences } from './openapi.document.ts'
import { type HeaderDefinition, headersOf, type RouteHeader } from './openapi.headers.ts'
import { problemSchema } from './schemas.ts'

/** Who may call a route; set by its scope in `api.ts`. */
export type Access = 'public' | 'signed in' | 'admin or self' | 'admin'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    /** The errors of a route, in addition to the general ones; documented by their statuses. */
    errors?: readonly ErrorDefinition[]
    /** The request and response headers of a route, in addition to the general ones. */
    headers?: readonly RouteHeader[]
    /** Whether the body is optional. */
    optionalBody?: boolean
  }
}

const GENERAL_ERRORS: ErrorDefinition[] = [
  kernelErrors.malformed_request,
  kernelErrors.not_found,
  kernelErrors.request_timeout,
  kernelErrors.headers_too_large,
  kernelErrors.internal,
  kernelErrors.overloaded,
  kernelErrors.deadline_exceeded,
  kernelErrors.database_unavailable,
  kernelErrors.shutting_down,
]
const BODY_ERRORS: ErrorDefinition[] = [
  kernelErrors.malformed_json,
  kernelErrors.validation_failed,
  kernelErrors.body_too_large,
  kernelErrors.unsupported_media_type,
]
const INPUT_ERRORS: ErrorDefinition[] = [kernelErrors.validation_failed, kernelErrors.uri_too_long]

type OpenApi = NonNullable<FastifyDynamicSwaggerOptions['openapi']>

/** The general part of the document. */
export interface DocumentOptions {
  version: string
  /** The public address of the service. */
  server: string
  description: string
  tags: NonNullable<OpenApi['tags']>
  securitySchemes: NonNullable<NonNullable<OpenApi['components']>['securitySchemes']>
  /** Members that errors of modules add to a problem (RFC 9457). */
  problemMembers: Record<string, TSchema>
}

/** Collects the routes that are registered after it into an OpenAPI 3.1 document, `app.swagger()`. */
export const openApi = fp<DocumentOptions>(
  async (app, { version, server, description, tags, securitySchemes, problemMembers }) => {
    const errors = new Map<string, ErrorDefinition>()
    const headers = new Map<string, HeaderDefinition>()
    app.addSchema(problemSchema(problemMembers))
    await app.register(swagger, {
      transform: ({ schema, url, route }) => ({
        schema: documentedSchema(schema, url, route, { errors, headers }),
        url,
      }),
      transformObject: (made) =>
        finishDocument(('openapiObject' in made ? made.openapiObject : {}) as Document, { errors, headers }) as object,
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Bukhindor Backend',
          version,
          description,
          contact: { name: 'Bukhindor Backend', url: '/docs' },
          license: { name: 'MIT', identifier: 'MIT' },
        },
        servers: [{ url: server, description: 'This service' }],
        tags,
        components: {
          securitySchemes,
        },
      },
      refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) },
      hideUntagged: false,
    })
  },
  { name: 'openapi', fastify: '5.x', dependencies: ['problems'] },
)

/**
 * Returns the schema of a route with its headers, error responses and security. Called when the document is built,
 * because scopes set `config.access` after this plugin's `onRoute` hook.
 */
function documentedSchema(
  schema: FastifySchema,
  url: string,
  { config }: RouteOptions,
  references: RouteReferences,
): FastifySchema {
  if (!schema || schema.hide) return schema
  const { access = 'public', headers: declared = [], errors: own = [] } = config ?? {}
  const { body, params, querystring, response } = schema
  const errors = new Set<ErrorDefinition>([
    ...GENERAL_ERRORS,
    ...(body ? BODY_ERRORS : []),
    ...(params || querystring ? INPUT_ERRORS : []),
    ...own,
  ])
  for (const error of errors) references.errors.set(error.reason, error)
  const idempotent = errors.has(kernelErrors.idempotency_in_progress)
  const { request, responseHeaders, all } = headersOf({ declared, errors, idempotent })
  for (const header of all) references.headers.set(header.name, header)
  const headers = (status: number) => Object.fromEntries(responseHeaders(status).map(({ name }) => [name, {}]))
  const problems = [...Map.groupBy(errors, ({ status }) => status)].map(([status, list]) => [
    status,
    {
      description: list.map(({ reason }) => `\`${reason}\``).join(', '),
      headers: headers(status),
      content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
    },
  ])
  const successes = Object.entries((response ?? {}) as Record<string, object>).map(([status, success]) => [
    status,
    { description: STATUS_CODES[status], ...success, headers: headers(Number(status)) },
  ])
  const unchanged = { description: 'Not modified: the `ETag` is still current', type: 'null', headers: headers(304) }
  const parameters = url.startsWith('/api/') ? request : []
  return {
    security: access === 'public' ? [] : [{ bearer: [] }],
    ...schema,
    ...(config?.optionalBody && { [OPTIONAL_BODY]: true }),
    headers: {
      type: 'object',
      properties: Object.fromEntries(parameters.map(({ name }) => [name, { type: 'string' }])),
    },
    response: {
      ...Object.fromEntries(successes),
      ...(declared.includes('If-None-Match') && { 304: unchanged }),
      ...Object.fromEntries(problems),
    },
  } as FastifySchema
}
