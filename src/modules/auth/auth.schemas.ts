import Type, { type Static } from 'typebox'
import { Email, Id, Locale, Sentence, Strict, Time, Untouched } from '../../kernel/http/schemas.ts'
import { NewPassword, Password } from '../credentials/credentials.schemas.ts'
import { DeviceToken } from '../rate-limits/rate-limits.schemas.ts'
import { PersonName, UserRef, userProperties } from '../users/users.schemas.ts'
import { authMessages } from './auth.messages.ts'

export const Register = Strict(
  { email: Email, password: NewPassword, name: PersonName, locale: Untouched(Locale) },
  {
    title: 'Register',
    examples: [{ email: 'anna@example.org', password: 'correct horse battery', name: 'Анна Каренина', locale: 'ru' }],
  },
)
export type Register = Static<typeof Register>

export const Registered = Strict(
  { message: Sentence(authMessages.registered), user: UserRef, device_token: DeviceToken },
  { title: 'Registered' },
)

const Delivery = Untouched(
  Type.Unsafe<'body' | 'cookie'>({
    type: 'string',
    title: 'Delivery',
    enum: ['body', 'cookie'],
    default: 'body',
    description:
      '`cookie`, for browsers: the refresh token and the device token are set as HttpOnly cookies for `/api/v1/auth`, and ' +
      'omitted from the body',
  }),
)

export const Login = Strict(
  {
    // Any text without control characters: PostgreSQL rejects NUL.
    email: Type.String({
      minLength: 1,
      maxLength: 254,
      pattern: '^[^\\u0000-\\u001F\\u007F-\\u009F]*$',
      examples: ['anna@example.org'],
    }),
    password: Password,
    delivery: Delivery,
    undo_deletion: Untouched(
      Type.Boolean({
        description: 'Cancel the pending deletion of the account (reason `account_deletion_pending`)',
        default: false,
      }),
    ),
  },
  { title: 'Login', examples: [{ email: 'anna@example.org', password: 'correct horse battery' }] },
)
export type Login = Static<typeof Login>

/** An example that no key has signed. */
const REFRESH_TOKEN = 'AZPvQm7Yc1eQp3uT5vWxYzABAAAAAGkE1pYJ0nWbq8sU3vXz5cR7dTfHmLoP2iAyNeKjQuBw'

export const Refresh = Strict(
  {
    refresh_token: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1024, description: 'Omitted if it is sent as a cookie' }),
    ),
    delivery: Delivery,
  },
  { title: 'Refresh', examples: [{ refresh_token: REFRESH_TOKEN }] },
)
export type Refresh = Static<typeof Refresh>

const tokens = {
  access_token: Type.String({
    description: 'Send it as `Authorization: Bearer …`',
    examples: ['eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIwMThmM2M1ZSJ9.c2lnbmF0dXJl'],
  }),
  refresh_token: Type.Optional(
    Type.String({
      description: 'For `POST /api/v1/auth/refresh`; omitted if it is delivered as a cookie',
      examples: [REFRESH_TOKEN],
    }),
  ),
  device_token: Type.Optional(DeviceToken),
  token_type: Type.Unsafe<'Bearer'>({ type: 'string', enum: ['Bearer'] }),
  expires_in: Type.Integer({ description: 'Seconds until the access token expires', examples: [900] }),
  refresh_expires_in: Type.Integer({
    description: 'Seconds until the session ends if it is not used',
    examples: [2592000],
  }),
  session_id: Id,
  server_time: Time,
}

export const SignedInUser = Strict({ ...userProperties, ...tokens }, { $id: 'SignedInUser' })
/** The result of signing in, before tokens are moved to cookies. */
export type SignedInUser = Required<Static<typeof SignedInUser>>
export const SignedIn = Strict(
  {
    message: Sentence(authMessages.signed_in),
    user: Type.Unsafe<Static<typeof SignedInUser>>({ $ref: 'SignedInUser#' }),
  },
  { title: 'SignedIn' },
)

export const LogoutAll = Strict(
  { keep_current: Untouched(Type.Boolean({ description: 'Keep the current session', default: false })) },
  { title: 'LogoutAll', examples: [{ keep_current: true }] },
)

export const Jwks = Type.Object(
  {
    keys: Type.Array(
      Type.Object(
        {
          kty: Type.String({ examples: ['OKP'] }),
          crv: Type.String({ examples: ['Ed25519'] }),
          x: Type.String({ examples: ['11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'] }),
          kid: Type.String({ examples: ['kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'] }),
          alg: Type.String({ examples: ['EdDSA'] }),
          use: Type.String({ examples: ['sig'] }),
        },
        { title: 'SigningKey', additionalProperties: false },
      ),
    ),
  },
  { title: 'SigningKeys' },
)

/** Additional problem members of `account_deletion_pending`. */
export const deletionMembers = {
  delete_after: Type.Optional(Type.String({ description: 'Only for `account_deletion_pending`', format: 'date-time' })),
}
