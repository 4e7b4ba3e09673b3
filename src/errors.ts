/** The errors listed at /docs/errors: one line for each module that declares some. */
export * from './kernel/errors/kernel-errors.ts'
export * from './modules/auth/auth.errors.ts'
export * from './modules/credentials/credentials.errors.ts'
export * from './modules/rate-limits/rate-limits.errors.ts'
export * from './modules/sessions/sessions.errors.ts'
export * from './modules/users/users.errors.ts'
