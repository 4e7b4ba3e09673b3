import { defineAuditEvents } from '../../kernel/lib/declaration.ts'

export const usersEvents = defineAuditEvents({
  'user.created': { en: 'A user was created', ru: 'Создан пользователь' },
  'user.updated': { en: 'A user was changed', ru: 'Изменён пользователь' },
  'user.deleted': { en: 'A user was deleted', ru: 'Удалён пользователь' },
  'user.viewed': { en: 'A user was viewed', ru: 'Просмотрен пользователь' },
  'users.listed': { en: 'The list of users was viewed', ru: 'Просмотрен список пользователей' },
})
