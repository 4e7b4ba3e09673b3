/** The sentences of every module. One line for each module that has some. */
export * from './modules/account/account.messages.ts'
export * from './modules/auth/auth.messages.ts'
export * from './modules/credentials/credentials.messages.ts'
export * from './modules/sessions/sessions.messages.ts'
export * from './modules/users/users.messages.ts'
