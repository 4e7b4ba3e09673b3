import { defineMessages } from '../../kernel/i18n/messages.ts'

/** The `message` of successful responses. */
export const sessionsMessages = defineMessages({
  session_ended: { en: 'The session has been ended.', ru: 'Сеанс завершён.' },
  sessions_ended: { en: 'The sessions have been ended.', ru: 'Сеансы завершены.' },
})
