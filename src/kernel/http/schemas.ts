import Type, { type Static, type TSchema } from 'typebox'
import type { Text } from '../i18n/messages.ts'

/** Building blocks for the schemas of modules. Those with a `title` become components of the OpenAPI document. */

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
/** An object without additional properties. */
export const Strict = <P extends Record<string, TSchema>>(properties: P, options: Record<string, unknown> = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/** An optional field of an update: `null` or an absent field leaves the value unchanged. */
export function Untouched<T extends TSchema>(schema: T) {
  const { enum: values, type, ...rest } = schema as unknown as { enum?: unknown[]; type: string }
  return Type.Optional(
    Type.Unsafe<Static<T> | null>({ ...rest, type: [type, 'null'], ...(values ? { enum: [...values, null] } : {}) }),
  )
}

export const Nullable = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T> | null>({ ...schema, type: [(schema as unknown as { type: string }).type, 'null'] })

const SENTENCE = { description: 'For users, in the language of `Accept-Language`' }
/** A text that confirms an action, with an example. */
export const Sentence = (text: Text) => Type.String({ ...SENTENCE, examples: [text.en] })
/** A response that only confirms an action. */
export const Message = (text: Text) =>
  Strict({ message: Type.String(SENTENCE) }, { title: 'Message', examples: [{ message: text.en }] })
export const IdParams = Strict({ id: Id })

/** The schema of errors: RFC 9457 with the members of this API and those of modules. */
export const problemSchema = (members: Record<string, TSchema>) =>
  Type.Object(
    {
      type: Type.String({ description: 'The documentation of this reason', examples: ['/docs/errors#not_found'] }),
      title: Type.String({ examples: ['Not found'] }),
      status: Type.Integer({ examples: [404] }),
      detail: Type.String({ description: 'For developers, in English' }),
      error: Type.String({ description: 'For users, in the language of `Accept-Language`' }),
      code: Type.Integer({ description: 'The HTTP status' }),
      reason: Type.String({
        description: 'Stable, for programs; all reasons are listed at /docs/errors',
        examples: ['not_found'],
      }),
      action: Type.Unsafe<string>({
        type: 'string',
        enum: ['fix', 'retry', 'refresh', 'reauthenticate', 'none'],
        description: 'What the client should do. Only `reauthenticate` means that the session has ended.',
      }),
      request_id: Type.String(),
      ...members,
      fields: Type.Optional(
        Type.Array(
          Strict({ path: Type.String({ examples: ['/name'] }), reason: Type.String(), message: Type.String() }),
          {
            description: 'On 400 and 422: the invalid fields, by JSON pointer or parameter name',
          },
        ),
      ),
    },
    { $id: 'Problem', additionalProperties: false },
  )

/** An error response. */
export type Problem = Static<ReturnType<typeof problemSchema>>
