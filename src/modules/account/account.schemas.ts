import Type, { type Static } from 'typebox'
import {
  Email,
  Locale,
  NewPassword,
  Nullable,
  Password,
  PersonName,
  Sentence,
  Strict,
  Time,
  Untouched,
} from '../../kernel/http/schemas.ts'
import type { AuditEvent } from '../audit/audit.schemas.ts'
import { DeviceToken } from '../auth/auth.schemas.ts'
import { Session } from '../sessions/sessions.schemas.ts'
import { UserRef } from '../users/users.schemas.ts'
import { accountMessages } from './account.messages.ts'

export const UpdateProfile = Strict(
  { name: Untouched(PersonName), locale: Untouched(Locale) },
  { title: 'UpdateProfile', examples: [{ name: null, locale: null }] },
)
export type UpdateProfile = Static<typeof UpdateProfile>

const Token = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'The token of the link in the e-mail',
  examples: ['GkE1pYJ0nWbq8sU3vXz5cR7dTfHmLoP2iAyNeKjQuBw'],
})

/** What stands for a password in the example of a step that could not be undone: it must not be anybody's. */
const NOBODYS = 'your current password'

export const ChangePassword = Strict(
  { current_password: Password, new_password: NewPassword },
  { title: 'ChangePassword', examples: [{ current_password: NOBODYS, new_password: 'a walk along the river' }] },
)
export type ChangePassword = Static<typeof ChangePassword>
export const ForgotPassword = Strict(
  { email: Email },
  { title: 'ForgotPassword', examples: [{ email: 'anna@example.org' }] },
)
export const ResetPassword = Strict({ token: Token, new_password: NewPassword }, { title: 'ResetPassword' })
export type ResetPassword = Static<typeof ResetPassword>
export const PasswordReset = Strict(
  { message: Sentence(accountMessages.password_reset), device_token: DeviceToken },
  { title: 'PasswordReset' },
)
export const ByToken = Strict({ token: Token }, { title: 'ByToken' })
export const ChangeEmail = Strict(
  { new_email: Email, password: Password },
  { title: 'ChangeEmail', examples: [{ new_email: 'anna.new@example.org', password: NOBODYS }] },
)
export type ChangeEmail = Static<typeof ChangeEmail>
export const DeleteMe = Strict({ password: Password }, { title: 'DeleteAccount', examples: [{ password: NOBODYS }] })
export const Deleted = Strict(
  {
    message: Sentence(accountMessages.deletion_requested),
    delete_after: Type.String({
      format: 'date-time',
      description: 'When the data is deleted. Until then, the deletion can be canceled',
      examples: ['2026-12-06T12:00:00.000Z'],
    }),
  },
  { title: 'AccountDeletion' },
)

/** All that is stored of a person. */
export const Export = Strict(
  {
    exported_at: Time,
    user: UserRef,
    delete_after: Nullable(Time),
    sessions: Type.Array(
      Strict({
        ...(Session.properties as typeof Session.properties),
        ended_at: Nullable(Time),
        end_reason: Nullable(Type.String({ examples: ['logout'] })),
      }),
    ),
    known_devices: Type.Array(Strict({ first_seen: Time, last_seen: Time })),
    audit_events: Type.Array(Type.Unsafe<Static<typeof AuditEvent>>({ $ref: 'AuditEvent#' })),
    links: Type.Array(
      Strict({
        kind: Type.String({ examples: ['verify_email'] }),
        email: Type.String({ examples: ['anna@example.org'] }),
        created_at: Time,
        expires_at: Time,
      }),
      {
        description: 'Links in e-mails that are still valid',
      },
    ),
    mails: Type.Array(
      Strict({
        kind: Type.String({ examples: ['new_sign_in'] }),
        locale: Locale,
        recipient: Type.String({ examples: ['anna@example.org'] }),
        created_at: Time,
        sent_at: Nullable(Time),
      }),
    ),
  },
  { title: 'Export' },
)
export type Export = Static<typeof Export>
