import { defineAuditEvents } from '../../kernel/lib/declaration.ts'

export const sessionsEvents = defineAuditEvents({
  'session.ended': { en: 'A session was ended', ru: 'Завершён сеанс' },
  'sessions.ended': { en: 'Several sessions were ended', ru: 'Завершено несколько сеансов' },
  'sessions.viewed': { en: 'The sessions of a user were viewed', ru: 'Просмотрены сеансы пользователя' },
})
