import { defineMessages } from '../../kernel/i18n/messages.ts'

/** The `message` of successful responses. */
export const usersMessages = defineMessages({
  reset_sent_to_user: {
    en: 'The user will receive a link by e-mail.',
    ru: 'Пользователь получит ссылку по e-mail.',
  },
  user_deleted: { en: 'The user has been deleted.', ru: 'Пользователь удалён.' },
})
