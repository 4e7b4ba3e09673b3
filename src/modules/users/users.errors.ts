import { defineErrors } from '../../kernel/errors/app-error.ts'

export const usersErrors = defineErrors({
  last_admin: {
    status: 409,
    action: 'none',
    title: 'Last administrator',
    text: {
      en: 'The last active administrator cannot be removed.',
      ru: 'Нельзя убрать последнего активного администратора.',
    },
    about: 'The last active administrator can be neither deleted, demoted nor deactivated. Make another one first.',
  },
  email_taken: {
    status: 409,
    action: 'fix',
    title: 'E-mail taken',
    text: { en: 'This e-mail is already taken.', ru: 'Этот e-mail уже занят.' },
    about: 'Another account has this e-mail, whatever its letters’ case and Unicode form.',
  },
})
