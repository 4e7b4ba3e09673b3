import { defineMessages } from '../../kernel/i18n/messages.ts'

/** The `message` of successful responses. */
export const authMessages = defineMessages({
  registered: {
    en: 'Your account has been created. Please sign in.',
    ru: 'Аккаунт создан. Войдите, чтобы продолжить.',
  },
  signed_in: { en: 'Welcome back!', ru: 'С возвращением!' },
  refreshed: { en: 'Session renewed.', ru: 'Сеанс продлён.' },
  signed_out: { en: 'You have signed out.', ru: 'Вы вышли из аккаунта.' },
  signed_out_everywhere: {
    en: 'You have signed out on the selected devices.',
    ru: 'Вы вышли на выбранных устройствах.',
  },
})
