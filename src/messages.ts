import { accountMessages } from './modules/account/account.messages.ts'
import { authMessages } from './modules/auth/auth.messages.ts'
import { credentialsMessages } from './modules/credentials/credentials.messages.ts'
import { sessionsMessages } from './modules/sessions/sessions.messages.ts'
import { usersMessages } from './modules/users/users.messages.ts'

/** Every sentence of the modules, for the test of the languages. */
export const MESSAGES = {
  ...accountMessages,
  ...authMessages,
  ...credentialsMessages,
  ...sessionsMessages,
  ...usersMessages,
}
