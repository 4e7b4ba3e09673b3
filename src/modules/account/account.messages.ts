import { defineMessages } from '../../kernel/i18n/messages.ts'

/** Confirmations, the `message` of an answer. */
export const accountMessages = defineMessages({
  account_deleted: { en: 'Your account is deleted.', ru: 'Аккаунт удалён.' },
  deletion_requested: {
    en: 'Your account will be deleted. To keep it, open the link in our e-mail.',
    ru: 'Аккаунт будет удалён. Чтобы сохранить его, откройте ссылку из нашего письма.',
  },
  deletion_undone: { en: 'Your account stays. Please sign in.', ru: 'Аккаунт сохранён. Войдите в него.' },
  verification_sent: { en: 'Please look into your mailbox.', ru: 'Проверьте почту.' },
  email_verified: { en: 'Your e-mail is confirmed.', ru: 'E-mail подтверждён.' },
  email_change_sent: {
    en: 'Please open the link that we have sent to the new address.',
    ru: 'Откройте ссылку, которую мы отправили на новый адрес.',
  },
  email_changed: { en: 'Your e-mail is changed.', ru: 'E-mail изменён.' },
  /** Of a field. */
  same_email: { en: 'This is your e-mail already.', ru: 'Это уже ваш e-mail.' },
})
