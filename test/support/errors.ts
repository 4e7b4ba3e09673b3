import * as errors from '../../src/errors.ts'
import type { ErrorDefinition } from '../../src/kernel/errors/app-error.ts'

type Page = (typeof errors)[keyof typeof errors]
export type Reason = Page extends infer P ? (P extends unknown ? keyof P : never) : never

/** Every error of the service, by its reason. */
export const ERRORS: Readonly<Record<Reason, ErrorDefinition>> = Object.assign({}, ...Object.values(errors))
