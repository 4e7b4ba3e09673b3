import { kernelErrors } from './kernel/errors/kernel-errors.ts'
import { authErrors } from './modules/auth/auth.errors.ts'
import { credentialsErrors } from './modules/credentials/credentials.errors.ts'
import { rateLimitsErrors } from './modules/rate-limits/rate-limits.errors.ts'
import { sessionsErrors } from './modules/sessions/sessions.errors.ts'
import { usersErrors } from './modules/users/users.errors.ts'

/** Every error of the service, by its `reason`: the list behind /docs/errors. */
export const ERRORS = {
  ...kernelErrors,
  ...authErrors,
  ...sessionsErrors,
  ...credentialsErrors,
  ...usersErrors,
  ...rateLimitsErrors,
}
export type Reason = keyof typeof ERRORS
