import { defineMessages } from '../../kernel/i18n/messages.ts'

/** Why a new password is refused, the `message` of a field. */
export const credentialsMessages = defineMessages({
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
