import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { REASONS, type Reason } from '../../src/kernel/reasons.ts'
import { useApp } from '../support/app.ts'

interface Operation {
  operationId: string
  summary: string
  description: string
  tags: string[]
  security: object[]
  parameters?: { in: string; name: string; required?: boolean }[]
  requestBody?: { content: Record<string, object> }
  responses: Record<string, { description: string; content?: Record<string, { schema: object }> }>
}
interface Document {
  openapi: string
  info: object
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}

/** What a person opens in a browser: pages and their files have no place in the document of the API. */
const PAGES =
  /^\/$|^\/docs(\/|$)|^\/openapi\.(json|yaml)$|^\/assets\/|^\/(verify-email|reset-password|change-email|undo-deletion)$/

describe('The OpenAPI document', () => {
  const app = useApp('sqlite')
  const document = () => app.app.swagger() as unknown as Document
  const operations = () =>
    Object.entries(document().paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
    )

  test('has every route that is registered but the pages', () => {
    const routes = registered(app.app.printRoutes({ commonPrefix: false }))
    assert.ok(routes.length > 40)
    const documented = new Set(operations().map(({ method, path }) => `${method} ${path}`))
    const missing = routes.filter(([method, path]) => !documented.has(`${method} ${path}`) && !PAGES.test(path))
    assert.deepEqual(missing, [])
  })

  test('says of each operation what it does, for whom, and everything that it can answer', () => {
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

  test('names for each error status reasons that have it', () => {
    for (const { path, method, responses } of operations())
      for (const [status, { description, content }] of Object.entries(responses)) {
        if (Number(status) < 400) continue
        const reasons = [...description.matchAll(/`(\w+)`/g)].map(([, reason]) => reason as Reason)
        assert.ok(reasons.length > 0, `${method} ${path} ${status}`)
        for (const reason of reasons) assert.equal(REASONS[reason].status, Number(status), reason)
        assert.deepEqual(Object.keys(content ?? {}), ['application/problem+json'])
      }
  })

  test('declares every parameter of every path', () => {
    for (const { path, parameters = [] } of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)
      assert.deepEqual(declared.sort(), inPath.sort(), path)
    }
  })

  test('refers to nothing that it does not have, and holds no schema that allows more than it says', () => {
    const { components } = document()
    for (const [, name] of JSON.stringify(document()).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
      assert.ok(components.schemas[name as string], name)
    for (const [name, schema] of Object.entries(components.schemas))
      assert.equal((schema as { additionalProperties: unknown }).additionalProperties, false, name)
    for (const { path, method, requestBody } of operations())
      for (const { schema } of Object.values(requestBody?.content ?? {}) as { schema: Record<string, unknown> }[])
        assert.equal(schema.additionalProperties, false, `${method} ${path}`)
  })

  test('is 3.1, the same as JSON and as YAML', async () => {
    const json = await app.api.get('/openapi.json')
    const yaml = await app.api.get('/openapi.yaml')
    assert.match(json.body.openapi, /^3\.1\./)
    assert.deepEqual(parse(yaml.body), json.body)
    assert.deepEqual(json.body, JSON.parse(JSON.stringify(document())))
  })

  test('is shown by a page that needs no other host', async () => {
    const page = await app.api.get('/docs')
    assert.equal(page.status, 200)
    assert.doesNotMatch(page.body.replace(/href="https?:[^"]*"/g, ''), /https?:\/\//)
    for (const [, file] of page.body.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css|svg))"/g))
      assert.equal((await app.api.get(file)).status, 200, file)
  })
})

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
