import assert from 'node:assert/strict'
import type { ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { isEmail } from '../../src/kernel/http/validation.ts'
import { ERRORS, type Reason } from './errors.ts'

interface Operation {
  responses: Record<string, { description: string; headers?: object; content?: Record<string, { schema?: object }> }>
}
type OpenApi = { paths: Record<string, Record<string, Operation>>; components: { headers: object } }

export interface Answer {
  status: number
  headers: Headers
  text: string
}

/**
 * Checks answers against the OpenAPI document of the running service and against the rules for all answers.
 * @returns a function that throws an AssertionError for an invalid answer
 */
export function createContract(document: unknown) {
  const { paths, components } = document as OpenApi
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv, ['uuid', 'date-time'])
  ajv.addFormat('email', isEmail).addSchema(document as object, 'openapi')
  const compiled = new Map<string, ValidateFunction>()
  // `/users/me` before `/users/{id}`: literal segments win.
  const templates = Object.keys(paths)
    .sort((a, b) => a.split('{').length - b.split('{').length)
    .map((template) => ({ template, pattern: new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}/?$`) }))

  const requireSchema = (pointer: string[], value: unknown, what: string) => {
    const reference = `openapi#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`
    const check = compiled.get(reference) ?? ajv.compile({ $ref: reference })
    compiled.set(reference, check)
    assert.ok(check(value), `${what} is not as documented: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value)}`)
  }

  return (method: string, path: string, answer: Answer): void => {
    const { status, headers, text } = answer
    const what = `${method} ${path.slice(0, 200)} → ${status}`
    const pathname = path.split('?', 1)[0] as string
    const template = templates.find(({ pattern }) => pattern.test(pathname))?.template
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase()
    const operation = template === undefined ? undefined : paths[template]?.[verb]

    assert.ok(headers.get('x-request-id'), `${what} has no X-Request-ID`)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', what)
    assert.doesNotMatch(text, /password_hash|\$argon2|\$2[aby]\$|SQLITE_|\bat .+\.ts:\d+/, `${what} tells internals`)
    if (pathname.startsWith('/api/v1/')) assert.equal(headers.get('cache-control'), 'no-store', what)

    if (status >= 400 && method !== 'HEAD') checkProblem(what, answer)
    if (!operation || method === 'HEAD' || status === 304) return
    const documented = operation.responses[status]
    assert.ok(documented, `${what}: this status is not documented. ${text.slice(0, 500)}`)
    for (const name of Object.keys(components.headers))
      assert.ok(!headers.has(name) || name in (documented.headers ?? {}), `${what}: ${name} is not documented`)
    const type = headers.get('content-type')?.split(';', 1)[0] ?? ''
    if (!documented.content) assert.equal(text, '', `${what}: a body, and none is documented`)
    if (!documented.content) return
    assert.ok(documented.content[type], `${what}: the content type ${type} is not documented`)
    if (!/json$/.test(type)) return
    const body = JSON.parse(text)
    if (status >= 400)
      assert.ok(documented.description.includes(`\`${body.reason}\``), `${what}: ${body.reason} is not documented`)
    const pointer = ['paths', template as string, verb, 'responses', String(status), 'content', type, 'schema']
    requireSchema(pointer, body, what)
  }
}

/** The rules for every problem document. */
function checkProblem(what: string, { status, headers, text }: Answer): void {
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/, what)
  const body = JSON.parse(text)
  const reason = ERRORS[body.reason as Reason]
  assert.ok(reason, `${what}: ${body.reason} is not in the list of reasons`)
  assert.deepEqual(
    [body.status, body.code, reason.status, body.action, body.type, body.request_id],
    [status, status, status, reason.action, `/docs/errors#${body.reason}`, headers.get('x-request-id')],
    what,
  )
  for (const member of ['title', 'detail', 'error']) assert.ok(body[member], `${what} has no ${member}`)
  if (body.fields) {
    assert.ok([400, 422].includes(status), `${what}: fields`)
    for (const field of body.fields) {
      assert.match(field.path, /^\//, what)
      assert.notEqual(field.message, field.reason, `${what}: ${field.reason} has no sentence`)
    }
  }
  if (status === 401) assert.match(headers.get('www-authenticate') ?? '', /^Bearer /, what)
  if (status === 405) assert.ok(headers.get('allow'), what)
  if (status === 429 || status === 503) assert.match(headers.get('retry-after') ?? '', /^[1-9]\d*$/, what)
}
