/** User-visible texts: one line for each module that declares some. */
export * from './modules/account/account.messages.ts'
export * from './modules/auth/auth.messages.ts'
export * from './modules/credentials/credentials.messages.ts'
export * from './modules/sessions/sessions.messages.ts'
export * from './modules/users/users.messages.ts'
