import Type, { type Static } from 'typebox'
import {
  Email,
  Id,
  Locale,
  NewPassword,
  Password,
  PersonName,
  Strict,
  Time,
  Untouched,
} from '../../kernel/http/schemas.ts'
import { UserRef, userProperties } from '../users/users.schemas.ts'

export const DeviceToken = Type.String({
  description:
    'Proves that this device has signed in to this account: send it as `X-Device-Token` at the next sign-in, so that ' +
    'nobody else’s tries keep you out. Keep it after logout',
})

export const Register = Strict({ email: Email, password: NewPassword, name: PersonName, locale: Untouched(Locale) })
export type Register = Static<typeof Register>

export const Registered = Strict({ message: Type.String(), user: UserRef, device_token: DeviceToken })

const Delivery = Untouched(
  Type.Unsafe<'body' | 'cookie'>({
    type: 'string',
    enum: ['body', 'cookie'],
    default: 'body',
    description:
      '`cookie`, for browsers: the refresh token and the device token come as HttpOnly cookies that only `/api/v1/auth` ' +
      'gets, and are left out of the body',
  }),
)

export const Login = Strict({
  // Any text may be tried, but PostgreSQL refuses to be asked for a NUL.
  email: Type.String({ minLength: 1, maxLength: 254, pattern: '^\\P{Cc}*$', examples: ['anna@example.org'] }),
  password: Password,
  delivery: Delivery,
  undo_deletion: Untouched(
    Type.Boolean({
      description: 'Keep an account that is being deleted (reason `account_deletion_pending`)',
      default: false,
    }),
  ),
})
export type Login = Static<typeof Login>

export const Refresh = Strict({
  refresh_token: Type.Optional(
    Type.String({ minLength: 1, maxLength: 1024, description: 'Left out where it comes by cookie' }),
  ),
  delivery: Delivery,
})

const tokens = {
  access_token: Type.String({ description: 'For `Authorization: Bearer …`' }),
  refresh_token: Type.Optional(
    Type.String({ description: 'For `POST /api/v1/auth/refresh`; left out where it comes by cookie' }),
  ),
  device_token: Type.Optional(DeviceToken),
  token_type: Type.Unsafe<'Bearer'>({ type: 'string', enum: ['Bearer'] }),
  expires_in: Type.Integer({ description: 'Seconds for which the access token is good', examples: [900] }),
  refresh_expires_in: Type.Integer({ description: 'Seconds after which an unused session ends', examples: [2592000] }),
  session_id: Id,
  server_time: Time,
}

export const SignedInUser = Strict({ ...userProperties, ...tokens }, { $id: 'SignedInUser' })
/** What signing in gives, before cookies may take some of its tokens away. */
export type SignedInUser = Required<Static<typeof SignedInUser>>
export const SignedIn = Strict({
  message: Type.String(),
  user: Type.Unsafe<Static<typeof SignedInUser>>({ $ref: 'SignedInUser#' }),
})

export const LogoutAll = Strict({
  keep_current: Untouched(Type.Boolean({ description: 'Leave the session that asks', default: false })),
})

export const Jwks = Type.Object({
  keys: Type.Array(
    Type.Object(
      {
        kty: Type.String(),
        crv: Type.String(),
        x: Type.String(),
        kid: Type.String(),
        alg: Type.String(),
        use: Type.String(),
      },
      { additionalProperties: false },
    ),
  ),
})
