import type { TSchema } from 'typebox'
import type { Text } from '../i18n/messages.ts'

/** A type of audit event. */
export interface AuditEventDefinition {
  /** Stable, for programs: object and action, separated by a dot. */
  readonly name: string
  /** For users. */
  readonly text: Text
}

/** Declares the events that a module writes to the audit log. */
export function defineAuditEvents<const K extends string>(
  events: Record<K, Text>,
): Readonly<Record<K, AuditEventDefinition>> {
  const definitions = Object.entries<Text>(events).map(([name, text]) => [name, { name, text }])
  return Object.fromEntries(definitions) as Record<K, AuditEventDefinition>
}

/** The user whose data is exported, and the session of the request. */
export interface DataSubject {
  id: string
  session_id: string
}

/** A list in the export of a user's data. */
export interface PersonalData {
  schema: TSchema
  /** Yields its rows page by page. */
  pages: (subject: DataSubject) => AsyncIterable<readonly unknown[]>
}

/** Deletes up to `limit` rows that are past their retention time. Returns how many. */
export type RetentionJob = (limit: number) => Promise<number>

/** What a service declares for the audit log, retention and the data export; collected in `services.ts`. */
export interface Declaration {
  auditEvents?: Readonly<Record<string, AuditEventDefinition>>
  /** By table. */
  retention?: Readonly<Record<string, RetentionJob>>
  /** By name of the list. */
  personalData?: Readonly<Record<string, PersonalData>>
}

/** Merges the declarations of services. Throws an Error if two declare the same name. */
export function collect(services: Record<string, unknown>): Required<Declaration> {
  const all: Required<Declaration> = { auditEvents: {}, retention: {}, personalData: {} }
  for (const service of Object.values(services)) {
    const { declares = {} } = service as { declares?: Declaration }
    for (const [kind, members] of Object.entries(declares) as [keyof Declaration, object][])
      for (const [name, member] of Object.entries(members)) {
        if (name in all[kind]) throw new Error(`two services declare ${kind}.${name}`)
        Object.assign(all[kind], { [name]: member })
      }
  }
  return all
}
