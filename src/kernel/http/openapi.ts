import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import type { FastifySchema, RouteOptions } from 'fastify'
import { REASONS, type Reason } from '../reasons.ts'
import type { App } from './server.ts'

/** Who may call a route; set by the scope in `api.ts` that it is registered in. */
export type Access = 'public' | 'signed in' | 'admin or self' | 'admin'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    /** The reasons, beside the general ones, that a route can answer with: they become its documented statuses. */
    reasons?: readonly Reason[]
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

const RETRY_AFTER = {
  'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds after which another try makes sense' },
}
const RATE_LIMIT = {
  'RateLimit-Policy': {
    type: 'string',
    description:
      'What is allowed: so many (`q`) in so many seconds (`w`); without `w`, delays grow after so many failures.',
    examples: ['"login";q=5'],
  },
  RateLimit: {
    type: 'string',
    description: 'How many are left (`r`), and in how many seconds there are more (`t`).',
    examples: ['"login";r=0;t=4'],
  },
}

const PROBLEM_HEADERS: Record<number, object> = { 429: { ...RATE_LIMIT, ...RETRY_AFTER }, 503: RETRY_AFTER }

/** Collects every route that is registered after it into an OpenAPI 3.1 document: `app.swagger()`. */
export async function addOpenApi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    transform: ({ schema, url, route }) => ({ schema: documented(schema, route), url }),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bukhindor Backend',
        version,
        description:
          'Accounts, sessions and users for an app. JSON in snake_case, times in RFC 3339 UTC, ids UUIDv7. ' +
          'Every error is `application/problem+json` with a stable `reason`, all of which are listed at [/docs/errors](/docs/errors).',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This service' }],
      tags: [
        { name: 'Auth', description: 'Sign up, sign in, refresh, sign out' },
        { name: 'Account', description: 'One’s own profile, password, e-mail and data' },
        { name: 'Sessions', description: 'The devices on which a person is signed in' },
        { name: 'Users', description: 'Administration of users' },
        { name: 'Audit', description: 'Who did what, when' },
        { name: 'Operation', description: 'Health and keys' },
      ],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The `access_token` of a login' },
        },
      },
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) },
    hideUntagged: false,
  })
}

/**
 * A route’s schema with every status that it can answer, and the token that it needs. Made when the document is, since
 * a scope says who is let in after the hooks of its parents have run.
 */
function documented(schema: FastifySchema, { config }: RouteOptions): FastifySchema {
  if (!schema || schema.hide) return schema
  const { access = 'public', reasons = [] } = config ?? {}
  const { body, params, querystring, response } = schema
  const all = new Set<Reason>([
    ...GENERAL,
    ...(body ? WITH_BODY : []),
    ...(params || querystring ? WITH_INPUT : []),
    ...(access === 'public' ? [] : WITH_TOKEN),
    ...(access.startsWith('admin') ? (['forbidden'] as const) : []),
    ...reasons,
  ])
  const byStatus = Map.groupBy(all, (reason) => REASONS[reason].status)
  const problems = Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((reason) => `\`${reason}\``).join(', '),
        ...(status in PROBLEM_HEADERS && { headers: PROBLEM_HEADERS[status] }),
        content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
      },
    ]),
  )
  const successes = Object.entries((response ?? {}) as Record<string, object>).map(([status, success]) => [
    status,
    { description: STATUS_CODES[status], ...success, ...(all.has('rate_limited') && { headers: RATE_LIMIT }) },
  ])
  return {
    ...schema,
    security: access === 'public' ? [] : [{ bearer: [] }],
    response: { ...Object.fromEntries(successes), ...problems },
  }
}
