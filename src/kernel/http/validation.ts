import { domainToASCII } from 'node:url'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { FastifySchemaCompiler } from 'fastify'
import { AppError, type AppErrorOptions } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

type Field = NonNullable<AppErrorOptions['fields']>[number]

// The schemas are tested: validating them against the meta-schema would only slow down the start.
const OPTIONS = {
  allErrors: true,
  strict: false,
  addUsedSchema: false,
  verbose: true,
  meta: false,
  validateSchema: false,
} as const

/** The canonical form, which both engines compare alike: lower case, without `urn:uuid:`. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i
const [FIRST, LAST] = [Date.parse('0001-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')]

/** Whether a text is an RFC 3339 time that both engines can store; leap seconds are not supported. */
function isTime(text: string): boolean {
  const [time, day] = [Date.parse(text), text.slice(0, 10)]
  return RFC_3339.test(text) && time >= FIRST && time <= LAST && new Date(day).toISOString().startsWith(day)
}

const createAjv = (options: object) => {
  const formats = { uuid: UUID, 'date-time': isTime, email: isEmail, 'printable-ascii': /^[\x20-\x7e]*$/ }
  return new Ajv({ ...OPTIONS, ...options, formats })
}

/** Creates the validator compiler: bodies are validated strictly, queries and path parameters with type coercion. */
export function createValidatorCompiler(): FastifySchemaCompiler<unknown> {
  const [strict, coercing] = [createAjv({ coerceTypes: false }), createAjv({ coerceTypes: true })]
  return ({ schema, httpPart }) => {
    // Compiled at its first use: compiling all schemas would take a large part of the startup time.
    let check: ValidateFunction | undefined
    const validate = (input: unknown): boolean => {
      check ??= (httpPart === 'body' ? strict : coercing).compile(schema as object)
      const valid = check(input)
      validate.errors = check.errors
      return valid
    }
    validate.errors = null as ValidateFunction['errors']
    return validate
  }
}

/** Validates a value that is not from a request. Throws AppError `validation_failed`. */
export function requireValid(schema: object, value: unknown): void {
  const check = createAjv({}).compile(schema)
  if (!check(value)) throw new AppError(kernelErrors.validation_failed, { fields: fieldErrors(check.errors ?? []) })
}

/**
 * Whether a text is an e-mail address (RFC 5321 lengths, RFC 6531 letters): an unquoted local part, and a domain of at
 * least two labels that IDNA can encode.
 */
export function isEmail(text: string): boolean {
  if (text.length > 254) return false
  const at = text.lastIndexOf('@')
  const [local, domain] = [text.slice(0, at), text.slice(at + 1)]
  if (at < 1 || Buffer.byteLength(local) > 64) return false
  if (!/^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u.test(local)) return false
  if (!/^[\p{L}\p{M}\p{N}.-]+$/u.test(domain)) return false
  const ascii = domainToASCII(domain)
  return ascii.length <= 253 && /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$/.test(ascii)
}

/** Converts Ajv's errors to field errors, the first of each field and at most 20. */
export function fieldErrors(errors: ErrorObject[]): Field[] {
  const fields = new Map<string, Field>()
  for (const error of errors) {
    const field = fieldError(error)
    if (!fields.has(field.path)) fields.set(field.path, field) // Further errors of a field usually follow from the first.
  }
  return [...fields.values()].slice(0, 20)
}

function fieldError({ instancePath, keyword, params, parentSchema }: ErrorObject): Field {
  const path = instancePath || '/'
  switch (keyword) {
    case 'required':
      return { path: `${instancePath}/${params.missingProperty}`, reason: 'required' }
    case 'additionalProperties': {
      const allowed = Object.keys(parentSchema?.properties ?? {}).join(', ')
      return {
        path: `${instancePath}/${pointer(params.additionalProperty)}`,
        reason: 'unknown_field',
        values: { allowed },
      }
    }
    case 'enum':
      return { path, reason: 'not_allowed', values: { allowed: params.allowedValues.filter(Boolean).join(', ') } }
    case 'minLength':
      return {
        path,
        reason: 'too_short',
        values: { min: params.limit, ...(params.limit === 1 && { kind: 'empty' }) },
      }
    case 'maxLength':
      return { path, reason: 'too_long', values: { max: params.limit } }
    case 'minimum':
    case 'maximum':
      return { path, reason: 'out_of_range', values: { kind: params.comparison, limit: params.limit } }
    case 'format':
      if (params.format === 'email') return { path, reason: 'email' }
      return { path, reason: 'format', values: { kind: params.format } }
    case 'pattern':
      return { path, reason: 'blank' }
    case 'type':
      return { path, reason: 'type', values: { kind: [params.type].flat().find((type) => type !== 'null') } }
    default:
      return { path, reason: 'not_allowed', values: { kind: 'other' } }
  }
}

const pointer = (key: string): string => key.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')
