import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'
import { openApiDocument } from '../../../src/cli/openapi.ts'
import { isEmail } from '../../../src/kernel/http/validation.ts'
import { useApp } from '../../support/app.ts'
import { ERRORS, type Reason } from '../../support/errors.ts'

interface Media {
  schema: { $ref?: string; additionalProperties?: unknown }
  example?: unknown
  examples?: Record<string, { $ref: string }>
}
interface Body {
  description: string
  headers?: Record<string, { $ref: string }>
  content?: Record<string, Media>
}
interface Operation {
  operationId: string
  summary: string
  description: string
  tags: string[]
  security: object[]
  parameters?: { $ref?: string; in?: string; name?: string; required?: boolean; example?: unknown }[]
  requestBody?: Body & { required: boolean }
  responses: Record<string, Body>
}
interface Document {
  openapi: string
  info: { contact?: object }
  servers: { url: string }[]
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: Record<'schemas' | 'headers' | 'parameters' | 'examples', Record<string, Record<string, unknown>>>
}

/** What a person opens in a browser: pages and their files have no place in the document of the API. */
const PAGES =
  /^\/$|^\/docs(\/|$)|^\/openapi\.(json|yaml)$|^\/favicon\.ico$|^\/assets\/|^\/(verify-email|reset-password|change-email|undo-deletion)$/

/** The verbs with which an operation id and, but for checks, a summary begin. */
const VERBS =
  /^(add|cancel|change|check|confirm|create|delete|end|export|get|link|list|patch|refresh|register|remove|request|resend|revoke|send|set|sign|unlink|update|verify)(?=[A-Z]|$)/

describe('The OpenAPI document', () => {
  const app = useApp('sqlite')
  const document = () => app.app.swagger() as unknown as Document
  const operations = () =>
    Object.entries(document().paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
    )
  /** The names behind the references of a kind that an object holds. */
  const referred = (kind: string, holder: unknown): string[] =>
    [...JSON.stringify(holder ?? null).matchAll(new RegExp(`"#/components/${kind}/([^"]+)"`, 'g'))].map(
      ([, name]) => name as string,
    )

  test('has every registered route except the pages', () => {
    const routes = registered(app.app.printRoutes({ commonPrefix: false }))
    assert.ok(routes.length > 40)
    const documented = new Set(operations().map(({ method, path }) => `${method} ${path}`))
    const missing = routes.filter(([method, path]) => !documented.has(`${method} ${path}`) && !PAGES.test(path))
    assert.deepEqual(missing, [])
  })

  test('describes each operation, who may call it, and every answer', () => {
    const known = new Set(document().tags.map(({ name }) => name))
    const ids = new Set<string>()
    for (const { path, method, operationId, summary, description, tags, security, responses } of operations()) {
      const what = `${method} ${path}`
      assert.ok(summary.length > 5 && !summary.endsWith('.'), `${what}: summary`)
      assert.ok(description.length > 10 && description.endsWith('.'), `${what}: description`)
      assert.ok(!ids.has(operationId), `${what}: operationId ${operationId} is taken`)
      ids.add(operationId)
      assert.ok(tags.length > 0 && tags.every((tag) => known.has(tag)), `${what}: tags`)
      const statuses = Object.keys(responses)
      assert.ok(
        statuses.some((status) => status.startsWith('2')),
        `${what}: no success`,
      )
      for (const status of ['500', '503', ...(security.length ? ['401'] : [])])
        assert.ok(responses[status], `${what}: ${status}`)
      assert.equal(statuses.includes('401') || security.length === 0, true, what)
    }
  })

  test('starts the id and the summary of each operation with a verb', () => {
    for (const { operationId, summary } of operations()) {
      const verb = VERBS.exec(operationId)?.[0] ?? assert.fail(`${operationId} begins with no known verb`)
      const said = summary.split(' ', 1)[0]?.toLowerCase() ?? ''
      const same = { register: 'create', patch: 'update', request: '(request|change)', confirm: '(confirm|set)' }
      const allowed = verb === 'check' ? /check$/ : new RegExp(`^${(same as Record<string, string>)[verb] ?? verb}$`)
      assert.match(verb === 'check' ? summary : said, allowed, `${operationId}: ${summary}`)
    }
  })

  test('lists the reasons of each error status, each with an example', () => {
    for (const { path, method, responses } of operations())
      for (const [status, { description, content }] of Object.entries(responses)) {
        if (Number(status) < 400) continue
        const reasons = [...description.matchAll(/`(\w+)`/g)].map(([, reason]) => reason as Reason)
        assert.ok(reasons.length > 0, `${method} ${path} ${status}`)
        for (const reason of reasons) assert.equal(ERRORS[reason].status, Number(status), reason)
        assert.deepEqual(Object.keys(content ?? {}), ['application/problem+json'])
        const examples = content?.['application/problem+json']?.examples ?? {}
        assert.deepEqual(Object.keys(examples), reasons, `${method} ${path} ${status}: an example of each reason`)
      }
  })

  test('declares every parameter of every path', () => {
    for (const { path, parameters = [] } of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)
      assert.deepEqual(declared.sort(), inPath.sort(), path)
    }
  })

  test('declares the headers that requests may carry', () => {
    for (const { path, method, operationId, parameters } of operations()) {
      const names = referred('parameters', parameters)
      const isApi = path.startsWith('/api/v1/')
      assert.equal(names.includes('Accept-Language'), path.startsWith('/api/'), `${method} ${path}`)
      assert.equal(names.includes('Idempotency-Key'), isApi && method !== 'GET', `${method} ${path}`)
      const changesUser = /^(updateCurrentUser|updateUser|patchUser|deleteUser)$/.test(operationId)
      assert.equal(names.includes('If-Match'), changesUser, operationId)
      assert.equal(names.includes('If-None-Match'), /^get(Current)?User$/.test(operationId), operationId)
      const startsSession = /^(signIn|refreshSession)$/.test(operationId)
      for (const name of ['X-Device-ID', 'X-App-Type', 'X-App-Version'])
        assert.equal(names.includes(name), startsSession, operationId)
      assert.equal(names.includes('X-Device-Token'), operationId === 'signIn', operationId)
    }
  })

  test('declares the headers that answers carry', () => {
    for (const { path, method, operationId, parameters, responses } of operations())
      for (const [status, { headers = {} }] of Object.entries(responses)) {
        const what = `${method} ${path} ${status}`
        const isSuccess = status.startsWith('2')
        assert.ok(headers['X-Request-ID'], what)
        assert.equal('WWW-Authenticate' in headers, status === '401', what)
        if (status === '429' || status === '503') assert.ok(headers['Retry-After'], what)
        const isLimited = '429' in responses
        if (isSuccess || status === '429')
          assert.equal('RateLimit' in headers && 'RateLimit-Policy' in headers, isLimited, what)
        const isReplayable = referred('parameters', parameters).includes('Idempotency-Key')
        if (isSuccess) assert.equal('Idempotency-Replayed' in headers, isReplayable, what)
        const isUser = /^(create|get|update|patch)(Current)?User$/.test(operationId)
        if (isSuccess) assert.equal('ETag' in headers, isUser, what)
        assert.equal('Location' in headers, operationId === 'createUser' && isSuccess, what)
        const setsCookie = /^(signIn|refreshSession|signOut|signOutEverywhere)$/.test(operationId)
        if (isSuccess) assert.equal('Set-Cookie' in headers, setsCookie, what)
      }
    for (const { operationId, responses } of operations())
      assert.equal('304' in responses, /^get(Current)?User$/.test(operationId), operationId)
  })

  test('names both ways to send a token', () => {
    const { components, paths } = document()
    assert.deepEqual(Object.keys((components as Record<string, object>).securitySchemes ?? {}), [
      'bearer',
      'refreshCookie',
    ])
    assert.deepEqual(paths['/api/v1/auth/refresh']?.post?.security, [{ refreshCookie: [] }, {}])
  })

  test('has no dangling references, no unused components, and no open objects', () => {
    const { components } = document()
    for (const kind of ['schemas', 'headers', 'parameters', 'examples'] as const) {
      const used = new Set(referred(kind, document()))
      assert.deepEqual([...used].sort(), Object.keys(components[kind]).sort(), kind)
    }
    for (const [name, schema] of Object.entries(components.schemas))
      if (schema.type === 'object' && name !== 'SigningKeys') assert.equal(schema.additionalProperties, false, name)
  })

  test('has a named schema for each body', () => {
    for (const { path, method, requestBody, responses } of operations())
      for (const { content = {} } of [...(requestBody ? [requestBody] : []), ...Object.values(responses)])
        for (const { schema } of Object.values(content))
          assert.ok(schema.$ref, `${method} ${path} has a body without a name`)
    const seen = new Map<string, string>()
    walk(document().components.schemas, (value, at) => {
      if (value.type !== 'object' || Object.keys((value.properties as object | undefined) ?? {}).length === 0) return
      const text = JSON.stringify(value.properties)
      assert.ok(!seen.has(text), `${at} is ${seen.get(text)} once more`)
      seen.set(text, at)
    })
  })

  test('has nothing that breaks code generators', () => {
    walk(document(), (value, at) => {
      if (typeof value.pattern === 'string') {
        assert.doesNotMatch(value.pattern, /\\p\{/i, `${at}: a property of Unicode needs the flag u`)
        new RegExp(value.pattern)
      }
      if (Array.isArray(value.enum)) assert.ok(!value.enum.includes(null), `${at}: null in an enum`)
    })
  })

  test('has a valid example of every body', () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true })
    addFormats.default(ajv, ['uuid', 'date-time'])
    ajv.addFormat('email', isEmail).addSchema(document(), 'openapi')
    const { components } = document()
    let checked = 0
    for (const { path, method, requestBody, responses } of operations())
      for (const { content = {} } of [...(requestBody ? [requestBody] : []), ...Object.values(responses)])
        for (const { schema, example, examples = {} } of Object.values(content)) {
          const all = [
            ...(example === undefined ? [] : [example]),
            ...referred('examples', examples).map((name) => components.examples[name]?.value),
          ]
          assert.ok(all.length > 0, `${method} ${path} has a body without an example`)
          const validate = ajv.compile({ $ref: `openapi${schema.$ref}` })
          for (const value of all) {
            const text = JSON.stringify(value)
            assert.ok(validate(value), `${method} ${path}: ${ajv.errorsText(validate.errors)}: ${text}`)
            assert.doesNotMatch(text, /"string"/, `${method} ${path}: an example without a value`)
            checked++
          }
        }
    assert.ok(checked > 500)
  })

  test('has no harmful examples', () => {
    for (const { method, path, operationId, parameters = [], requestBody } of operations()) {
      for (const { in: where, example, name } of parameters)
        assert.ok(example === undefined || where === 'path', `${method} ${path}: ${name} would be sent`)
      const example = (requestBody?.content?.['application/json']?.example ?? {}) as Record<string, unknown>
      if (/^(update|patch)/.test(operationId))
        assert.deepEqual(new Set(Object.values(example)), new Set([null]), `${operationId} changes something`)
      if (/^(delete|change|request(Email)Change)/.test(operationId))
        for (const field of ['password', 'current_password'])
          assert.notEqual(example[field], 'correct horse battery', `${operationId} has the password of another example`)
    }
    for (const [name, parameter] of Object.entries(document().components.parameters))
      for (const key of ['example', 'examples', 'default'])
        assert.ok(!(key in parameter) && !(key in (parameter.schema as object)), `${name} would be sent`)
  })

  test('has servers and a contact', async () => {
    assert.deepEqual(
      document().servers.map(({ url }) => url),
      ['https://api.example.org'],
    )
    assert.ok(document().info.contact)
    const file = (await openApiDocument()) as unknown as Document
    assert.deepEqual(file.servers, [{ url: '/' }])
    assert.deepEqual(file.paths, document().paths)
  })

  test('is 3.1, the same as JSON and as YAML', async () => {
    const json = await app.api.get('/openapi.json')
    const yaml = await app.api.get('/openapi.yaml')
    assert.match(json.body.openapi, /^3\.1\./)
    assert.deepEqual(parse(yaml.body), json.body)
    assert.deepEqual(json.body, JSON.parse(JSON.stringify(document())))
  })

  test('is shown by a page that loads nothing from other hosts', async () => {
    const page = await app.api.get('/docs')
    assert.equal(page.status, 200)
    assert.doesNotMatch(page.body.replace(/href="https?:[^"]*"/g, ''), /https?:\/\//)
    const files = [...page.body.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css|svg))"/g)].map(([, file]) => file)
    assert.ok(files.length >= 3, String(files))
    for (const file of files) assert.equal((await app.api.get(file)).status, 200, file)
  })
})

/** Visits every object within a value, but what is an example. */
function walk(value: unknown, visit: (value: Record<string, unknown>, at: string) => void, at = '#'): void {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) visit(value as Record<string, unknown>, at)
  for (const [key, inner] of Object.entries(value)) if (!/^examples?$/.test(key)) walk(inner, visit, `${at}/${key}`)
}

/** Method and path, in the form of OpenAPI, of every line of Fastify's tree of routes. */
function registered(tree: string): [method: string, path: string][] {
  const above: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, indent, name, methods] = /^([│ ]*)[└├]── (\S+) \((.+)\)$/.exec(line) ?? []
    if (indent === undefined || name === undefined || methods === undefined) return []
    const depth = indent.length / 4
    above[depth] = name
    const path = above
      .slice(0, depth + 1)
      .join('')
      .replace(/:(\w+)/g, '{$1}')
    const listed = methods.split(', ').filter((method) => method !== 'HEAD')
    return listed.map((method): [string, string] => [method, path])
  })
}
