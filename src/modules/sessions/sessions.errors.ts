import { defineErrors } from '../../kernel/errors/app-error.ts'

export const sessionsErrors = defineErrors({
  session_ended: {
    status: 401,
    action: 'reauthenticate',
    title: 'Session ended',
    challenge: 'invalid_token',
    text: { en: 'Your session has ended. Please sign in again.', ru: 'Сеанс завершён. Войдите в аккаунт ещё раз.' },
    about:
      'The session was ended by logout, revocation, a changed password, expiry, or the account is gone or inactive.',
  },
  refresh_invalid: {
    status: 401,
    action: 'reauthenticate',
    title: 'Invalid refresh token',
    challenge: 'invalid_token',
    text: { en: 'Please sign in again.', ru: 'Войдите в аккаунт ещё раз.' },
    about: 'The refresh token is malformed or was not made by this service.',
  },
  refresh_reused: {
    status: 401,
    action: 'reauthenticate',
    title: 'Refresh token reused',
    challenge: 'invalid_token',
    text: {
      en: 'For your safety this session was ended. Please sign in again.',
      ru: 'Сеанс завершён для вашей безопасности. Войдите в аккаунт ещё раз.',
    },
    about: 'A refresh token of a past generation was used: somebody else may have a copy, so the session was ended.',
  },
})
