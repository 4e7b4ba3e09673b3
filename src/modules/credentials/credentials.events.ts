import { defineAuditEvents } from '../../kernel/lib/declaration.ts'

export const credentialsEvents = defineAuditEvents({
  'password.changed': { en: 'A password was changed', ru: 'Изменён пароль' },
  'password.confirmation_failed': {
    en: 'A step was confirmed with a wrong password',
    ru: 'Действие подтверждали неверным паролем',
  },
  'password.reset_requested': { en: 'A password reset was requested', ru: 'Запрошен сброс пароля' },
  'password.reset': { en: 'A password was reset by a link', ru: 'Пароль сброшен по ссылке' },
})
