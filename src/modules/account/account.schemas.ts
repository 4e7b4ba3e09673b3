import Type, { type Static } from 'typebox'
import {
  Email,
  Locale,
  NewPassword,
  Nullable,
  Password,
  PersonName,
  Strict,
  Time,
  Untouched,
} from '../../kernel/http/schemas.ts'
import type { AuditEvent } from '../audit/audit.schemas.ts'
import { DeviceToken } from '../auth/auth.schemas.ts'
import { Session } from '../sessions/sessions.schemas.ts'
import { UserRef } from '../users/users.schemas.ts'

export const UpdateProfile = Strict({ name: Untouched(PersonName), locale: Untouched(Locale) })
export type UpdateProfile = Static<typeof UpdateProfile>

const Token = Type.String({ minLength: 1, maxLength: 200, description: 'Of the link in the e-mail' })

export const ChangePassword = Strict({ current_password: Password, new_password: NewPassword })
export type ChangePassword = Static<typeof ChangePassword>
export const ForgotPassword = Strict({ email: Email })
export const ResetPassword = Strict({ token: Token, new_password: NewPassword })
export type ResetPassword = Static<typeof ResetPassword>
export const PasswordReset = Strict({ message: Type.String(), device_token: DeviceToken })
export const ByToken = Strict({ token: Token })
export const ChangeEmail = Strict({ new_email: Email, password: Password })
export type ChangeEmail = Static<typeof ChangeEmail>
export const DeleteMe = Strict({ password: Password })
export const Deleted = Strict({
  message: Type.String(),
  delete_after: Type.String({
    format: 'date-time',
    description: 'When the data goes; until then the deletion can be undone',
  }),
})

/** All that is stored of a person. */
export const Export = Strict({
  exported_at: Time,
  user: UserRef,
  delete_after: Nullable(Time),
  sessions: Type.Array(
    Strict({
      ...(Session.properties as typeof Session.properties),
      ended_at: Nullable(Time),
      end_reason: Nullable(Type.String()),
    }),
  ),
  known_devices: Type.Array(Strict({ first_seen: Time, last_seen: Time })),
  audit_events: Type.Array(Type.Unsafe<Static<typeof AuditEvent>>({ $ref: 'AuditEvent#' })),
  links: Type.Array(Strict({ kind: Type.String(), email: Type.String(), created_at: Time, expires_at: Time }), {
    description: 'In e-mails, not used yet',
  }),
  mails: Type.Array(
    Strict({
      kind: Type.String(),
      locale: Locale,
      recipient: Type.String(),
      created_at: Time,
      sent_at: Nullable(Time),
    }),
  ),
})
export type Export = Static<typeof Export>
