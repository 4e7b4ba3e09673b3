import Type, { type Static } from 'typebox'
import { Id, Nullable, Strict, Time } from '../../kernel/http/schemas.ts'

export const Session = Strict(
  {
    id: Id,
    current: Type.Boolean({ description: 'The session that asks' }),
    device_id: Nullable(Type.String()),
    app_type: Nullable(Type.String({ examples: ['android'] })),
    app_version: Nullable(Type.String({ examples: ['1.4.0'] })),
    user_agent: Nullable(Type.String()),
    ip: Nullable(Type.String()),
    created_at: Time,
    last_used_at: Time,
    expires_at: Time,
  },
  { $id: 'Session' },
)
export type Session = Static<typeof Session>
export const SessionList = Strict({ sessions: Type.Array(Type.Unsafe<Session>({ $ref: 'Session#' })) })
export const SessionParams = Strict({ id: Id, sid: Id })
export const Revoked = Strict({
  message: Type.String(),
  revoked: Type.Integer({ description: 'How many sessions were ended' }),
})
