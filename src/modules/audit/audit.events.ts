import { defineAuditEvents } from '../../kernel/lib/declaration.ts'

export const auditEvents = defineAuditEvents({
  'audit.viewed': { en: 'The audit log was viewed', ru: 'Просмотрен журнал аудита' },
})
