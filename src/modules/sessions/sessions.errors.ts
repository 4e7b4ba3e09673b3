import { defineErrors } from '../../kernel/errors/app-error.ts'

export const sessionsErrors = defineErrors({
  session_ended: {
    status: 401,
    action: 'reauthenticate',
    title: 'Session ended',
    challenge: 'invalid_token',
    text: { en: 'Your session has ended. Please sign in again.', ru: 'Сеанс завершён. Войдите в аккаунт ещё раз.' },
    about:
      'The session has expired or was ended by signing out, revocation or a password change, or the account has been deleted or deactivated.',
  },
  refresh_invalid: {
    status: 401,
    action: 'reauthenticate',
    title: 'Invalid refresh token',
    challenge: 'invalid_token',
    text: { en: 'Please sign in again.', ru: 'Войдите в аккаунт ещё раз.' },
    about: 'The refresh token is missing, malformed or was not issued by this service.',
  },
  refresh_reused: {
    status: 401,
    action: 'reauthenticate',
    title: 'Refresh token reused',
    challenge: 'invalid_token',
    text: {
      en: 'Your session was ended for your security. Please sign in again.',
      ru: 'Сеанс завершён в целях безопасности. Войдите в аккаунт ещё раз.',
    },
    about: 'An outdated refresh token was used. It may have been stolen, so the session was ended.',
  },
})
