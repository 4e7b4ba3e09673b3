import { defineMessages } from '../../kernel/i18n/messages.ts'

export const credentialsMessages = defineMessages({
  // Confirmations, the `message` of an answer.
  password_changed: { en: 'Your password is changed.', ru: 'Пароль изменён.' },
  password_reset: { en: 'Your password is changed. Please sign in.', ru: 'Пароль изменён. Войдите с новым паролем.' },
  reset_sent: {
    en: 'If there is an account with this e-mail, a link is on its way.',
    ru: 'Если аккаунт с таким e-mail есть, ссылка уже отправлена.',
  },
  // Why a new password is refused, the `message` of a field.
  too_common: {
    en: 'This password is too common: it would be guessed first.',
    ru: 'Слишком распространённый пароль: его подберут первым.',
  },
  personal: {
    en: 'The password must not be made of your e-mail, your name or the name of the service.',
    ru: 'Пароль не должен состоять из вашего e-mail, имени или названия сервиса.',
  },
  same_password: { en: 'The new password is the same as the old one.', ru: 'Новый пароль совпадает со старым.' },
})
