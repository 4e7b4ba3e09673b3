import { defineAuditEvents } from '../../kernel/lib/declaration.ts'

export const accountEvents = defineAuditEvents({
  'email.verified': { en: 'An e-mail address was verified', ru: 'Подтверждён e-mail' },
  'email.change_requested': { en: 'A change of e-mail was requested', ru: 'Запрошена смена e-mail' },
  'email.changed': { en: 'An e-mail address was changed', ru: 'Изменён e-mail' },
  'account.deletion_requested': { en: 'The deletion of an account was requested', ru: 'Запрошено удаление аккаунта' },
  'account.deleted': { en: 'An account was deleted', ru: 'Аккаунт удалён' },
  'account.exported': { en: 'A user exported their data', ru: 'Пользователь выгрузил свои данные' },
})
