import Type from 'typebox'
import { Locale, Nullable, Strict, Time } from '../http/schemas.ts'

/** E-mails to a user, without their content. */
export const SentMails = Type.Array(
  Strict({
    kind: Type.String({ examples: ['notice'] }),
    locale: Locale,
    recipient: Type.String({ examples: ['anna@example.org'] }),
    created_at: Time,
    sent_at: Nullable(Time),
  }),
)
