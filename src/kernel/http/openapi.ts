import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import type { FastifySchema, RouteOptions } from 'fastify'
import { REASONS, type Reason } from '../errors/reasons.ts'
import { type Document, finishDocument, OPTIONAL_BODY } from './openapi.document.ts'
import { type RouteHeader, requestHeaders, responseHeaders } from './openapi.headers.ts'
import type { App } from './types.ts'

/** Who may call a route; set by the scope in `api.ts` that it is registered in. */
export type Access = 'public' | 'signed in' | 'admin or self' | 'admin'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    /** The reasons, beside the general ones, that a route can answer with: they become its documented statuses. */
    reasons?: readonly Reason[]
    /** The headers, beside the general ones, that a route reads or answers with. */
    headers?: readonly RouteHeader[]
    /** The body may be left out. */
    optionalBody?: boolean
  }
}

const GENERAL: Reason[] = [
  'malformed_request',
  'not_found',
  'request_timeout',
  'headers_too_large',
  'internal',
  'overloaded',
  'deadline_exceeded',
  'database_unavailable',
  'shutting_down',
]
const WITH_BODY: Reason[] = ['malformed_json', 'validation_failed', 'body_too_large', 'unsupported_media_type']
const WITH_INPUT: Reason[] = ['validation_failed', 'uri_too_long']
const WITH_TOKEN: Reason[] = ['token_missing', 'token_invalid', 'token_expired', 'session_ended']

/** Collects every route that is registered after it into an OpenAPI 3.1 document, `app.swagger()`, of the service at `server`. */
export async function addOpenApi(app: App, { version, server }: { version: string; server: string }): Promise<void> {
  await app.register(swagger, {
    transform: ({ schema, url, route }) => ({ schema: documented(schema, url, route), url }),
    transformObject: (made) =>
      finishDocument(('openapiObject' in made ? made.openapiObject : {}) as Document) as object,
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bukhindor Backend',
        version,
        description:
          'Accounts, sessions and users for an app. JSON in snake_case, times in RFC 3339 UTC, ids UUIDv7. ' +
          'Every error is `application/problem+json` with a stable `reason`; all reasons are listed at [/docs/errors](/docs/errors). ' +
          'A known path with another method answers 405, with the methods that it has in `Allow`.',
        contact: { name: 'Bukhindor Backend', url: '/docs' },
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: server, description: 'This service' }],
      tags: [
        { name: 'Auth', description: 'Create an account, sign in, refresh, sign out' },
        { name: 'Account', description: 'The profile, password, e-mail and data of the signed-in user' },
        { name: 'Sessions', description: 'The devices on which a user is signed in' },
        { name: 'Users', description: 'Administration of users' },
        { name: 'Audit', description: 'Who did what, and when' },
        { name: 'Operation', description: 'Health checks and public keys' },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'The `access_token` of a sign-in',
          },
          refreshCookie: {
            type: 'apiKey',
            in: 'cookie',
            name: 'bukhindor_refresh',
            description:
              'The refresh token of a sign-in with `"delivery": "cookie"`. Over https the name is `__Secure-bukhindor_refresh`.',
          },
        },
      },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) },
    hideUntagged: false,
  })
}

/**
 * A route’s schema with its headers, every status that it can answer, and the token that it needs. Made when the document
 * is, since a scope says who is let in after the hooks of its parents have run.
 */
function documented(schema: FastifySchema, url: string, { config }: RouteOptions): FastifySchema {
  if (!schema || schema.hide) return schema
  const { access = 'public', headers: declared = [], reasons: own = [] } = config ?? {}
  const { body, params, querystring, response } = schema
  const reasons = new Set<Reason>([
    ...GENERAL,
    ...(body ? WITH_BODY : []),
    ...(params || querystring ? WITH_INPUT : []),
    ...(access === 'public' ? [] : WITH_TOKEN),
    ...(access.startsWith('admin') ? (['forbidden'] as const) : []),
    ...own,
  ])
  const context = { declared, reasons, idempotent: reasons.has('idempotency_in_progress') }
  const headers = (status: number) => Object.fromEntries(responseHeaders(status, context).map((name) => [name, {}]))
  const problems = [...Map.groupBy(reasons, (reason) => REASONS[reason].status)].map(([status, list]) => [
    status,
    {
      description: list.map((reason) => `\`${reason}\``).join(', '),
      headers: headers(status),
      content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
    },
  ])
  const successes = Object.entries((response ?? {}) as Record<string, object>).map(([status, success]) => [
    status,
    { description: STATUS_CODES[status], ...success, headers: headers(Number(status)) },
  ])
  const unchanged = { description: 'Not modified: the `ETag` is still current', type: 'null', headers: headers(304) }
  const parameters = url.startsWith('/api/') ? requestHeaders(context) : []
  return {
    security: access === 'public' ? [] : [{ bearer: [] }],
    ...schema,
    ...(config?.optionalBody && { [OPTIONAL_BODY]: true }),
    headers: { type: 'object', properties: Object.fromEntries(parameters.map((name) => [name, { type: 'string' }])) },
    response: {
      ...Object.fromEntries(successes),
      ...(declared.includes('If-None-Match') && { 304: unchanged }),
      ...Object.fromEntries(problems),
    },
  } as FastifySchema
}
