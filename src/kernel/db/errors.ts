import { AppError } from '../errors/app-error.ts'
import { kernelErrors } from '../errors/kernel-errors.ts'

/** The database cannot be opened or used by this version. The message is written for operators. */
export class DatabaseError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DatabaseError'
  }
}

/** SQLSTATE classes and codes (PostgreSQL, Appendix A) of temporary errors that the request did not cause. */
const UNAVAILABLE = /^(08|28|3D000|53|57P0|25006|40001|40P01|55P03|57014|58)/
const CONNECTION =
  /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|EPROTO|ERR_(TLS|SSL)_|CERT_|.*_CERT(_|$)|.*SIGNATURE)/
const SQLITE_UNAVAILABLE = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|NOMEM)/
const POOL =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error|not queryable|Cannot use a pool after calling end/

/** Whether an error means that the database is unreachable, busy or not writable: the same request may succeed later. */
export function isUnavailable(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return UNAVAILABLE.test(code) || CONNECTION.test(code) || SQLITE_UNAVAILABLE.test(code) || POOL.test(message)
}

/** Whether an error is a serialization failure or a deadlock, after which a transaction can be retried. */
export const isConflict = (error: unknown): boolean =>
  ['40001', '40P01'].includes((error as { code?: string }).code ?? '')

/** Whether a write violated the unique constraint on `column`, on either engine. */
export function isUniqueViolation(error: unknown, column: string): boolean {
  const { code, message = '', constraint = '' } = error as { code?: string; message?: string; constraint?: string }
  return (
    (code === '23505' && constraint.includes(column)) ||
    (code === 'SQLITE_CONSTRAINT_UNIQUE' && message.includes(column))
  )
}

/** Returns AppError `database_unavailable` for a temporary database error, and any other error unchanged. */
export const asAppError = (error: unknown): unknown =>
  isUnavailable(error) ? new AppError(kernelErrors.database_unavailable, { retryAfter: 1, cause: error }) : error
