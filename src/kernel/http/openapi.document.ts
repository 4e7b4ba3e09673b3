import { isDeepStrictEqual } from 'node:util'
import { AppError, type ErrorDefinition } from '../errors/app-error.ts'
import { problem } from './errors.ts'
import type { HeaderDefinition } from './openapi.headers.ts'

/** The parts of JSON Schema and OpenAPI that are used here. */
interface Schema {
  [keyword: string]: unknown
  $ref?: string
  type?: string | string[]
  title?: string
  description?: string
  pattern?: string
  enum?: unknown[]
  examples?: unknown[]
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
}
interface Media {
  schema: Schema
  example?: unknown
  examples?: Record<string, object>
}
interface Parameter {
  $ref?: string
  in?: string
  name?: string
  schema?: Schema
  example?: unknown
}
interface Body {
  required?: boolean
  description?: string
  headers?: Record<string, object>
  content?: Record<string, Media>
}
interface Operation {
  [OPTIONAL_BODY]?: boolean
  parameters?: Parameter[]
  requestBody?: Body
  responses: Record<string, Body>
}
export interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> } & Record<string, Record<string, object>>
}

/** The errors and headers of the routes. */
export interface RouteReferences {
  errors: Map<string, ErrorDefinition>
  headers: Map<string, HeaderDefinition>
}

/** Marks operations with an optional body, because `@fastify/swagger` makes bodies required. */
export const OPTIONAL_BODY = 'x-optional-body'

const ID = '018f3c5e-7d2a-7c1b-9f00-0123456789ab'

/**
 * Rewrites the document of `@fastify/swagger` for client generators: schemas with a `title`, headers and errors become
 * components, and media types get examples. The schemas that validate requests are unchanged.
 * @see docs/decisions/0022-openapi-document.md
 */
export function finishDocument(document: Document, { errors, headers }: RouteReferences): Document {
  const { paths, components } = document
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods))
  const bodies = operations.flatMap(({ requestBody, responses }) => [requestBody ?? {}, ...Object.values(responses)])
  const used = { headers: new Set<string>(), parameters: new Set<string>(), examples: new Set<string>() }

  const named: Record<string, Schema> = {}
  for (const [name, schema] of Object.entries(components.schemas)) named[name] = hoistWithin(schema, named)
  for (const { content = {}, description } of bodies)
    for (const media of Object.values(content)) {
      if (media.schema.description === description) delete media.schema.description // The response has it already.
      media.schema = hoist(media.schema, named)
    }
  components.schemas = named

  for (const operation of operations) {
    const { parameters = [], requestBody, responses } = operation
    if (requestBody && operation[OPTIONAL_BODY]) requestBody.required = false
    delete operation[OPTIONAL_BODY]
    for (const [n, parameter] of parameters.entries()) {
      if (parameter.in === 'header') parameters[n] = reference('parameters', parameter.name as string, used.parameters)
      // Swagger UI would send the example of a filter, which matches nothing.
      else if (parameter.in === 'query') delete parameter.example
      if (parameter.schema) parameter.schema = hoist(parameter.schema, named)
    }
    for (const [status, { headers = {}, content = {}, description = '' }] of Object.entries(responses)) {
      for (const name of Object.keys(headers)) headers[name] = reference('headers', name, used.headers)
      const media = content['application/problem+json']
      if (Number(status) >= 400 && media) media.examples = problemExamples(description, used.examples)
    }
  }
  for (const { content = {} } of bodies)
    for (const media of Object.values(content)) if (!media.examples) media.example ??= exampleOf(media.schema, named)

  const described = (names: Set<string>) =>
    [...headers.values()].filter(({ name }) => names.has(name)).map(({ in: _, statuses, ...header }) => header)
  components.parameters = Object.fromEntries(
    described(used.parameters).map((header) => [header.name, { in: 'header', ...header }]),
  )
  components.headers = Object.fromEntries(described(used.headers).map(({ name, ...header }) => [name, header]))
  components.examples = Object.fromEntries(
    [...errors]
      .filter(([reason]) => used.examples.has(reason))
      .map(([reason, error]) => [reason, problemExample(error)]),
  )
  return document
}

const reference = (kind: string, name: string, used: Set<string>) => {
  used.add(name)
  return { $ref: `#/components/${kind}/${name}` }
}

/** Moves a schema with a `title` to `named`. Returns a reference to it. */
function hoist(given: Schema, named: Record<string, Schema>): Schema {
  const schema = hoistWithin(given, named)
  const { title, ...rest } = schema
  if (title === undefined) return schema
  if (Array.isArray(rest.type) || rest.anyOf) return rest // The nullable form is a different schema.
  if (rest.type === 'object') delete rest.examples // The media type has them.
  const known = named[title]
  if (known && !isDeepStrictEqual(withoutAnnotations(known), withoutAnnotations(rest)))
    throw new Error(`two schemas are called ${title}`)
  named[title] = { ...rest, ...known }
  const $ref = `#/components/schemas/${title}`
  const { description } = rest
  return description === undefined || description === named[title].description ? { $ref } : { $ref, description }
}

const withoutAnnotations = ({ description, examples, ...rest }: Schema) => rest

function hoistWithin(given: Schema, named: Record<string, Schema>): Schema {
  const schema = { ...given }
  // Unicode properties need the flag `u`, which generated code does not use.
  if (schema.pattern && /\\p\{/i.test(schema.pattern)) delete schema.pattern
  if (schema.enum?.includes(null)) return nullable(schema, named)
  for (const key of ['items', 'additionalProperties', 'not'] as const)
    if (isSchema(schema[key])) schema[key] = hoist(schema[key], named)
  for (const key of ['anyOf', 'oneOf', 'allOf'] as const)
    if (Array.isArray(schema[key])) schema[key] = schema[key].map((part: Schema) => hoist(part, named))
  if (schema.properties)
    schema.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, property]) => [name, hoist(property, named)]),
    )
  return schema
}

/** Replaces `null` in an `enum`, for which generators create wrong types, by `anyOf`. */
function nullable({ type, enum: values = [], description, ...rest }: Schema, named: Record<string, Schema>): Schema {
  const of = { ...rest, type: [type].flat().find((name) => name !== 'null'), enum: values.filter((v) => v !== null) }
  const { default: fallback, ...choice } = of as Schema
  return {
    anyOf: [hoist(choice, named), { type: 'null' }],
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
  }
}

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null

/** Returns the example of a schema, or builds one from the examples of its parts. */
function exampleOf(schema: Schema, named: Record<string, Schema>): unknown {
  if (schema.$ref) return exampleOf(named[schema.$ref.split('/').at(-1) as string] ?? {}, named)
  const [example] = [...(schema.examples ?? []), schema.default, ...(schema.enum ?? [])].filter((v) => v !== undefined)
  if (example !== undefined) return example
  if (schema.anyOf) return exampleOf(schema.anyOf[0] ?? {}, named)
  const [type] = [schema.type ?? 'object'].flat()
  if (type === 'array') return [exampleOf(schema.items ?? {}, named)]
  if (type === 'boolean') return true
  if (type === 'integer' || type === 'number') return schema.minimum ?? 1
  if (type === 'string') return schema.format === 'uuid' ? ID : 'string'
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, property]) => [name, exampleOf(property, named)]),
  )
}

/** Returns references to the examples of the errors that the description of a response names. */
function problemExamples(description: string, used: Set<string>): Record<string, object> {
  const reasons = [...description.matchAll(/`(\w+)`/g)].map(([, reason]) => reason as string)
  return Object.fromEntries(
    reasons.map((reason) => {
      used.add(reason)
      return [reason, { $ref: `#/components/examples/${reason}` }]
    }),
  )
}

const problemExample = (definition: ErrorDefinition) => ({
  summary: definition.title,
  value: JSON.parse(problem(new AppError(definition, { fields: definition.exampleFields }), 'en', ID)),
})
