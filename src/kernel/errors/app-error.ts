import type { Locale } from '../i18n/locale.ts'
import type { FieldFault } from '../i18n/messages.ts'

/** What a client should do about an error. */
export type Action = 'fix' | 'retry' | 'refresh' | 'reauthenticate' | 'none'

/** An error of the API; declared with `defineErrors`. */
export interface ErrorDefinition {
  /** Stable, for programs. */
  readonly reason: string
  readonly status: number
  readonly action: Action
  /** Short English summary, the `title` of RFC 9457. */
  readonly title: string
  /** The text that the app shows to its user. */
  readonly text: Record<Locale, string>
  /** When it occurs and how to resolve it, for `/docs/errors`. */
  readonly about: string
  /** The `error` of the `WWW-Authenticate` challenge of a 401 (RFC 6750, 3.1); without it, the challenge has only a realm. */
  readonly challenge?: 'invalid_token'
  /** The text is followed by the messages of `fields`, because clients may show only the text. */
  readonly showsFields?: true
  /** The `fields` of its example in the OpenAPI document. */
  readonly exampleFields?: FieldFault[]
}

/** Declares errors by their reasons. */
export function defineErrors<const R extends string>(
  errors: Record<R, Omit<ErrorDefinition, 'reason'>>,
): Readonly<Record<R, ErrorDefinition>> {
  const entries = Object.entries(errors) as [R, Omit<ErrorDefinition, 'reason'>][]
  const definitions: [string, ErrorDefinition][] = entries.map(([reason, rest]) => [reason, { reason, ...rest }])
  return Object.fromEntries(definitions) as Record<R, ErrorDefinition>
}

/** Returns the errors of several declarations, sorted by status and reason. */
export const listErrors = (...declared: Readonly<Record<string, ErrorDefinition>>[]): ErrorDefinition[] =>
  declared
    .flatMap((errors) => Object.values(errors))
    .sort((a, b) => a.status - b.status || a.reason.localeCompare(b.reason, 'en'))

export interface AppErrorOptions {
  /** For developers, in English; not shown to users. */
  detail?: string
  fields?: FieldFault[]
  /** Seconds until a retry makes sense; sent as `Retry-After`. */
  retryAfter?: number
  headers?: Record<string, string>
  /** Further members of the body (RFC 9457, 3.2). */
  members?: Record<string, unknown>
  cause?: unknown
}

/** An error that is reported to the client. Other thrown values that are not recognised become `internal`. */
export class AppError extends Error {
  readonly definition: ErrorDefinition
  readonly options: AppErrorOptions

  constructor(definition: ErrorDefinition, options: AppErrorOptions = {}) {
    super(options.detail ?? definition.title, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.definition = definition
    this.options = options
  }

  get reason(): string {
    return this.definition.reason
  }

  get status(): number {
    return this.definition.status
  }
}
