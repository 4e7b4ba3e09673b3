import { defineErrors } from '../../kernel/errors/app-error.ts'
import { credentialsMessages } from './credentials.messages.ts'

export const credentialsErrors = defineErrors({
  password_refused: {
    exampleFields: [{ path: '/password', reason: 'too_common', text: credentialsMessages.too_common }],
    status: 400,
    action: 'fix',
    title: 'Password refused',
    text: { en: 'Please choose another password.', ru: 'Выберите другой пароль.' },
    about:
      'The new password is too short, too long, too common, or made of the person’s own data; `fields` says which.',
  },
  password_wrong: {
    status: 403,
    action: 'fix',
    title: 'Wrong password',
    text: { en: 'The password is wrong.', ru: 'Неверный пароль.' },
    about: 'The current password that confirms this step is wrong. The session goes on.',
  },
  link_invalid: {
    status: 400,
    action: 'fix',
    title: 'Link not valid',
    text: {
      en: 'This link has expired or was already used. Please ask for a new one.',
      ru: 'Ссылка устарела или уже использована. Запросите новую.',
    },
    about: 'The one-time token is unknown, used, expired, replaced by a newer one, or of another kind.',
  },
})
