import Type, { type Static, type TSchema } from 'typebox'
import type { Text } from '../i18n/messages.ts'

/**
 * Shared atoms of the API: every module builds its schemas from these. One with a `title` is written once in the OpenAPI
 * document, under that name, and referred to.
 */

export const Id = Type.String({
  format: 'uuid',
  description: 'UUIDv7',
  examples: ['018f3c5e-7d2a-7c1b-9f00-0123456789ab'],
})
export const Time = Type.String({
  format: 'date-time',
  description: 'RFC 3339 in UTC',
  examples: ['2026-11-22T12:00:00.000Z'],
})
export const Email = Type.String({
  title: 'Email',
  format: 'email',
  maxLength: 254,
  description: 'Stored as entered; unique regardless of letter case and Unicode form.',
  examples: ['anna@example.org'],
})
export const Locale = Type.Unsafe<'ru' | 'en'>({
  type: 'string',
  title: 'Locale',
  enum: ['ru', 'en'],
  description: 'Language of e-mails',
})
export const Role = Type.Unsafe<'user' | 'admin'>({ type: 'string', title: 'Role', enum: ['user', 'admin'] })
export const PersonName = Type.String({
  title: 'PersonName',
  maxLength: 100,
  // Any script; no control characters, no line or direction overrides, and something to see. One class after another
  // over the same letters would take quadratic time on a long text: hence the look ahead (ASVS 1.3.12).
  pattern: '^(?![\\s\\p{C}]*$)[^\\p{Cc}\\p{Cs}\\u2028-\\u202E\\u2066-\\u2069]*$',
  description: 'In any script, without control characters.',
  examples: ['Анна Каренина'],
})
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

/** An object of exactly these fields. */
export const Strict = <P extends Record<string, TSchema>>(properties: P, options: Record<string, unknown> = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/** A field of an update: `null` means "leave as it is", as an absent one does. */
export function Untouched<T extends TSchema>(schema: T) {
  const { enum: values, type, ...rest } = schema as unknown as { enum?: unknown[]; type: string }
  return Type.Optional(
    Type.Unsafe<Static<T> | null>({ ...rest, type: [type, 'null'], ...(values ? { enum: [...values, null] } : {}) }),
  )
}

export const Nullable = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: [(schema as unknown as { type: string }).type, 'null'] })

const SENTENCE = { description: 'For users, in the language of `Accept-Language`' }
/** A sentence that confirms something, with an example of it. */
export const Sentence = (text: Text) => Type.String({ ...SENTENCE, examples: [text.en] })
/** The answer that does nothing but confirm. */
export const Message = (text: Text) =>
  Strict({ message: Type.String(SENTENCE) }, { title: 'Message', examples: [{ message: text.en }] })
export const IdParams = Strict({ id: Id })

/** RFC 9457, with the members that the app’s model needs. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'The documentation of this reason', examples: ['/docs/errors#email_taken'] }),
    title: Type.String({ examples: ['E-mail taken'] }),
    status: Type.Integer({ examples: [409] }),
    detail: Type.String({ description: 'For developers, in English' }),
    error: Type.String({ description: 'For users, in the language of `Accept-Language`' }),
    code: Type.Integer({ description: 'The HTTP status' }),
    reason: Type.String({
      description: 'Stable, for programs; all reasons are listed at /docs/errors',
      examples: ['email_taken'],
    }),
    action: Type.Unsafe<string>({
      type: 'string',
      enum: ['fix', 'retry', 'refresh', 'reauthenticate', 'none'],
      description: 'What the client should do. Only `reauthenticate` means that the session has ended.',
    }),
    request_id: Type.String(),
    checks: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'Only for `/health/ready`' })),
    delete_after: Type.Optional(
      Type.String({ description: 'Only for `account_deletion_pending`', format: 'date-time' }),
    ),
    fields: Type.Optional(
      Type.Array(
        Strict({ path: Type.String({ examples: ['/email'] }), reason: Type.String(), message: Type.String() }),
        {
          description: 'On 400 and 422: the invalid fields, by JSON pointer or parameter name',
        },
      ),
    ),
  },
  { $id: 'Problem', additionalProperties: false },
)
