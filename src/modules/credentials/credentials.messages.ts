import { defineMessages } from '../../kernel/i18n/messages.ts'

export const credentialsMessages = defineMessages({
  // The `message` of successful responses.
  password_changed: { en: 'Your password has been changed.', ru: 'Пароль изменён.' },
  password_reset: {
    en: 'Your password has been changed. Please sign in with the new password.',
    ru: 'Пароль изменён. Войдите с новым паролем.',
  },
  reset_sent: {
    en: 'If an account with this e-mail exists, we have sent it a link. Check your inbox.',
    ru: 'Если аккаунт с таким e-mail существует, мы отправили на него ссылку. Проверьте почту.',
  },
  // The `message` of a refused password field.
  too_common: {
    en: 'This password is too common.',
    ru: 'Этот пароль слишком распространённый.',
  },
  personal: {
    en: 'The password must not consist of your e-mail, your name or the name of the service.',
    ru: 'Пароль не должен состоять из вашего e-mail, имени или названия сервиса.',
  },
  same_password: {
    en: 'The new password must differ from the current one.',
    ru: 'Новый пароль должен отличаться от текущего.',
  },
})
