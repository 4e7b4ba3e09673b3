import Type, { type Static } from 'typebox'
import { Email, Sentence, Strict, Time } from '../../kernel/http/schemas.ts'
import { DeviceToken } from '../rate-limits/rate-limits.schemas.ts'
import { credentialsMessages } from './credentials.messages.ts'

export const NewPassword = Type.String({
  title: 'NewPassword',
  pattern: '^\\P{Cs}*$',
  maxLength: 1024,
  description:
    'Any 8 to 128 characters (`MIN_PASSWORD_LENGTH` may raise the minimum). Common passwords and those that consist of the user’s own data are refused. Compared in Unicode NFC.',
  examples: ['correct horse battery'],
})
export const Password = Type.String({
  title: 'Password',
  minLength: 1,
  maxLength: 1024,
  examples: ['correct horse battery'],
})

/** Links sent to a user that are still valid, without their tokens. */
export const PendingLinks = Type.Array(
  Strict({
    kind: Type.String({ examples: ['verify_email'] }),
    email: Type.String({ examples: ['anna@example.org'] }),
    created_at: Time,
    expires_at: Time,
  }),
  { description: 'Links in e-mails that are still valid' },
)

export const LinkToken = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'The token of the link in the e-mail',
  examples: ['GkE1pYJ0nWbq8sU3vXz5cR7dTfHmLoP2iAyNeKjQuBw'],
})

/** The password in examples of operations that cannot be undone: it must not match any account. */
export const PASSWORD_EXAMPLE = 'your current password'

export const ChangePassword = Strict(
  { current_password: Password, new_password: NewPassword },
  {
    title: 'ChangePassword',
    examples: [{ current_password: PASSWORD_EXAMPLE, new_password: 'a walk along the river' }],
  },
)
export type ChangePassword = Static<typeof ChangePassword>
export const ForgotPassword = Strict(
  { email: Email },
  { title: 'ForgotPassword', examples: [{ email: 'anna@example.org' }] },
)
export type ForgotPassword = Static<typeof ForgotPassword>
export const ResetPassword = Strict({ token: LinkToken, new_password: NewPassword }, { title: 'ResetPassword' })
export type ResetPassword = Static<typeof ResetPassword>
export const PasswordReset = Strict(
  { message: Sentence(credentialsMessages.password_reset), device_token: DeviceToken },
  { title: 'PasswordReset' },
)
