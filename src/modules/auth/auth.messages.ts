import { defineMessages } from '../../kernel/i18n/messages.ts'

/** Confirmations, the `message` of an answer. */
export const authMessages = defineMessages({
  registered: { en: 'Your account is ready. Please sign in.', ru: 'Аккаунт создан. Войдите в него.' },
  signed_in: { en: 'Welcome back!', ru: 'С возвращением!' },
  refreshed: { en: 'Session renewed.', ru: 'Сеанс продлён.' },
  signed_out: { en: 'You are signed out.', ru: 'Вы вышли из аккаунта.' },
  signed_out_everywhere: { en: 'You are signed out on these devices.', ru: 'Вы вышли на этих устройствах.' },
})
