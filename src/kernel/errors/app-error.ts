import { REASONS, type Reason } from './reasons.ts'

export interface AppErrorOptions {
  /** English, for developers; never shown to a person. */
  detail?: string
  /** Faults by field; the messages come from `i18n.ts` when the error is rendered. */
  fields?: { path: string; reason: string; values?: Record<string, string | number> }[]
  /** Seconds until a retry makes sense; sent as `Retry-After`. */
  retryAfter?: number
  headers?: Record<string, string>
  /** Further members of the body (RFC 9457, 3.2). */
  members?: { checks?: Record<string, 'ok' | 'failed'>; delete_after?: string }
  cause?: unknown
}

/** An error that the caller is told about. Anything else that is thrown becomes `internal`. */
export class AppError extends Error {
  readonly reason: Reason
  readonly options: AppErrorOptions

  constructor(reason: Reason, options: AppErrorOptions = {}) {
    super(options.detail ?? REASONS[reason].title, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.reason = reason
    this.options = options
  }

  get status(): number {
    return REASONS[this.reason].status
  }
}
