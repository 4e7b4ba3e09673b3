import Type, { type Static } from 'typebox'
import { Id, Nullable, Sentence, Strict, Time } from '../../kernel/http/schemas.ts'
import { sessionsMessages } from './sessions.messages.ts'

export const Session = Strict(
  {
    id: Id,
    current: Type.Boolean({ description: 'Whether this is the session of the request' }),
    device_id: Nullable(Type.String({ examples: ['4f6f1d7e-93c1-4b0e-9d7f-6a5a3a9d2f10'] })),
    app_type: Nullable(Type.String({ examples: ['android'] })),
    app_version: Nullable(Type.String({ examples: ['1.4.0'] })),
    user_agent: Nullable(Type.String({ examples: ['Dart/3.9 (dart:io)'] })),
    ip: Nullable(Type.String({ examples: ['203.0.113.7'] })),
    created_at: Time,
    last_used_at: Time,
    expires_at: Time,
  },
  { $id: 'Session' },
)
export type Session = Static<typeof Session>
/** All stored sessions of a user, including ended ones. */
export const SessionHistory = Type.Array(
  Strict({
    ...(Session.properties as typeof Session.properties),
    ended_at: Nullable(Time),
    end_reason: Nullable(Type.String({ examples: ['logout'] })),
  }),
)
export const SessionList = Strict(
  { sessions: Type.Array(Type.Unsafe<Session>({ $ref: 'Session#' })) },
  { title: 'SessionList' },
)
export const SessionParams = Strict({ id: Id, sid: Id })
export const Revoked = Strict(
  {
    message: Sentence(sessionsMessages.sessions_ended),
    revoked: Type.Integer({ description: 'The number of ended sessions', examples: [2] }),
  },
  { title: 'Revoked' },
)
