import { defineErrors } from '../../kernel/errors/app-error.ts'
import { credentialsMessages } from './credentials.messages.ts'

export const credentialsErrors = defineErrors({
  password_refused: {
    showsFields: true,
    exampleFields: [{ path: '/password', reason: 'too_common', text: credentialsMessages.too_common }],
    status: 400,
    action: 'fix',
    title: 'Password refused',
    text: { en: 'Please choose a different password.', ru: 'Выберите другой пароль.' },
    about:
      'The new password is too short, too long, too common, the current one, or consists of the user’s own data. `fields` contains the reason.',
  },
  password_wrong: {
    status: 403,
    action: 'fix',
    title: 'Wrong password',
    text: { en: 'Wrong password. Please try again.', ru: 'Неверный пароль. Попробуйте ещё раз.' },
    about: 'The current password that confirms this operation is wrong. The session stays active.',
  },
  link_invalid: {
    status: 400,
    action: 'fix',
    title: 'Invalid link',
    text: {
      en: 'This link has expired or has already been used. Please request a new one.',
      ru: 'Ссылка устарела или уже использована. Запросите новую.',
    },
    about: 'The one-time token is unknown, used, expired, replaced by a newer one, or intended for another purpose.',
  },
})
