import { defineAuditEvents } from '../../kernel/lib/declaration.ts'

export const authEvents = defineAuditEvents({
  'user.registered': { en: 'An account was created', ru: 'Создан аккаунт' },
  'login.succeeded': { en: 'A user signed in', ru: 'Выполнен вход' },
  'login.failed': { en: 'A sign-in failed', ru: 'Неудачная попытка входа' },
  'refresh.reused': {
    en: 'An outdated refresh token was used: the session was ended',
    ru: 'Использован устаревший refresh-токен: сеанс завершён',
  },
  'refresh.stale': {
    en: 'A browser tab used an outdated refresh token',
    ru: 'Вкладка браузера использовала устаревший refresh-токен',
  },
  'account.deletion_undone': { en: 'The deletion of an account was canceled', ru: 'Отменено удаление аккаунта' },
  'access.denied': { en: 'A request was refused for lack of permission', ru: 'Отказано в доступе' },
})
