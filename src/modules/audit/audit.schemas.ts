import Type, { type Static } from 'typebox'
import { Id, Nullable, Strict, Time } from '../../kernel/http/schemas.ts'

/** Events on a page where the request does not say. */
export const DEFAULT_PAGE_SIZE = 50

/** The schemas of the audit log for the events that the modules declare. */
export function auditSchemas(events: readonly string[]) {
  const ActionName = Type.Unsafe<string>({ type: 'string', title: 'AuditAction', enum: events })
  const AuditEvent = Strict(
    {
      id: Id,
      at: Time,
      action: ActionName,
      outcome: Type.Unsafe<'success' | 'failure'>({ type: 'string', enum: ['success', 'failure'] }),
      actor_type: Type.Unsafe<'user' | 'anonymous' | 'operator' | 'system'>({
        type: 'string',
        enum: ['user', 'anonymous', 'operator', 'system'],
        description: '`operator`: the command line; `system`: a background job of the service',
      }),
      actor_id: Nullable(Id),
      target_id: Nullable(Id),
      session_id: Nullable(Id),
      request_id: Nullable(Type.String({ examples: ['018f3c5e-7d2a-7c1b-9f00-0123456789ab'] })),
      ip: Nullable(Type.String({ examples: ['203.0.113.7'] })),
      user_agent: Nullable(Type.String({ examples: ['Dart/3.9 (dart:io)'] })),
      details: Type.Record(Type.String(), Type.Unknown(), { examples: [{ fields: ['name'] }] }),
    },
    { $id: 'AuditEvent' },
  )
  const AuditEventList = Strict(
    {
      events: Type.Array(Type.Unsafe<Static<typeof AuditEvent>>({ $ref: 'AuditEvent#' })),
      next_cursor: Nullable(
        Type.String({ description: 'The `cursor` of the next page; `null` on the last page', examples: [null] }),
      ),
    },
    { title: 'AuditEventList' },
  )

  const ListAuditEvents = Strict({
    action: Type.Optional(ActionName),
    actor_id: Type.Optional(Id),
    target_id: Type.Optional(Id),
    from: Type.Optional(Type.String({ format: 'date-time', description: 'At this time or later' })),
    to: Type.Optional(Type.String({ format: 'date-time', description: 'Before this time' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: DEFAULT_PAGE_SIZE })),
    cursor: Type.Optional(Type.String({ maxLength: 1000 })),
  })
  return { AuditEvent, AuditEventList, ListAuditEvents }
}

export type AuditSchemas = ReturnType<typeof auditSchemas>
export type AuditEvent = Static<AuditSchemas['AuditEvent']>
export type ListAuditEvents = Static<AuditSchemas['ListAuditEvents']>
