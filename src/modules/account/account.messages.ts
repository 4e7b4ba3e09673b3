import { defineMessages } from '../../kernel/i18n/messages.ts'

/** The `message` of successful responses. */
export const accountMessages = defineMessages({
  account_deleted: { en: 'Your account has been deleted.', ru: 'Аккаунт удалён.' },
  deletion_requested: {
    en: 'Your account will be deleted. To keep it, open the link in our e-mail.',
    ru: 'Аккаунт будет удалён. Чтобы сохранить его, откройте ссылку из нашего письма.',
  },
  deletion_undone: {
    en: 'Your account will not be deleted. Please sign in.',
    ru: 'Удаление отменено. Войдите в аккаунт.',
  },
  verification_sent: { en: 'Check your inbox.', ru: 'Проверьте почту.' },
  email_verified: { en: 'Your e-mail has been confirmed.', ru: 'E-mail подтверждён.' },
  email_change_sent: {
    en: 'Please open the link that we have sent to the new address.',
    ru: 'Откройте ссылку, которую мы отправили на новый адрес.',
  },
  email_changed: { en: 'Your e-mail has been changed.', ru: 'E-mail изменён.' },
  /** The `message` of a field. */
  same_email: { en: 'This is already your e-mail address.', ru: 'Это уже ваш e-mail.' },
})
