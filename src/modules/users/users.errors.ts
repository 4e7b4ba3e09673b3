import { defineErrors } from '../../kernel/errors/app-error.ts'

export const usersErrors = defineErrors({
  last_admin: {
    status: 409,
    action: 'none',
    title: 'Last administrator',
    text: {
      en: 'This is the last active administrator. Please appoint another one first.',
      ru: 'Это последний активный администратор. Сначала назначьте другого.',
    },
    about:
      'The last active administrator cannot be deleted, demoted or deactivated. Appoint another administrator first.',
  },
  email_taken: {
    status: 409,
    action: 'fix',
    title: 'E-mail taken',
    text: {
      en: 'This e-mail is already taken. Please use another one.',
      ru: 'Этот e-mail уже занят. Укажите другой.',
    },
    about: 'Another account has this e-mail. Letter case and Unicode form are ignored.',
  },
})
