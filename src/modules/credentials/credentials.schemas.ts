import Type from 'typebox'

export const NewPassword = Type.String({
  title: 'NewPassword',
  pattern: '^\\P{Cs}*$',
  maxLength: 1024,
  description:
    '8 to 128 characters, any; not a common one, nor made of the person’s own data. Compared in Unicode NFC.',
  examples: ['correct horse battery'],
})
export const Password = Type.String({
  title: 'Password',
  minLength: 1,
  maxLength: 1024,
  examples: ['correct horse battery'],
})
