/** The errors of every module: the list behind /docs/errors. One line for each module. */
export * from './kernel/errors/kernel-errors.ts'
export * from './modules/auth/auth.errors.ts'
export * from './modules/credentials/credentials.errors.ts'
export * from './modules/rate-limits/rate-limits.errors.ts'
export * from './modules/sessions/sessions.errors.ts'
export * from './modules/users/users.errors.ts'
