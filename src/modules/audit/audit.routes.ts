import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import { originOf } from '../../kernel/http/call-context.ts'
import type { App } from '../../kernel/http/types.ts'
import { auditEvents } from './audit.events.ts'
import type { AuditSchemas } from './audit.schemas.ts'
import type { Audit } from './audit.service.ts'

export const auditRoutes =
  (audit: Audit, { AuditEventList, ListAuditEvents }: AuditSchemas) =>
  async (app: App) => {
    app.get(
      '/audit-events',
      {
        config: { errors: [kernelErrors.invalid_cursor] },
        schema: {
          operationId: 'listAuditEvents',
          summary: 'List audit events',
          description: 'Returns who did what, to whom, when and from where; the most recent first.',
          tags: ['Audit'],
          querystring: ListAuditEvents,
          response: { 200: AuditEventList },
        },
      },
      async (request) => {
        const page = await audit.list(request.query)
        audit.recordView(originOf(request), auditEvents['audit.viewed'])
        return page
      },
    )
  }
