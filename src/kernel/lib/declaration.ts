import type { TSchema } from 'typebox'
import type { Text } from '../i18n/messages.ts'

/** One kind of event of the audit log. */
export interface AuditEventDefinition {
  /** Stable, for programs: what it was done to, and what was done. */
  readonly name: string
  /** The same for people. */
  readonly text: Text
}

/** Declares the events that a module writes to the audit log. */
export function defineAuditEvents<const K extends string>(
  events: Record<K, Text>,
): Readonly<Record<K, AuditEventDefinition>> {
  const definitions = Object.entries<Text>(events).map(([name, text]) => [name, { name, text }])
  return Object.fromEntries(definitions) as Record<K, AuditEventDefinition>
}

/** Whose data is exported, and the session by which they ask. */
export interface DataSubject {
  id: string
  session_id: string
}

/** A list in the file in which people get their data. */
export interface PersonalData {
  schema: TSchema
  /** Its rows, page by page. */
  pages: (subject: DataSubject) => AsyncIterable<readonly unknown[]>
}

/** Deletes up to `limit` rows that are past their retention time. Returns how many. */
export type RetentionJob = (limit: number) => Promise<number>

/** What a service declares for those that serve all modules; `services.ts` collects it. */
export interface Declaration {
  auditEvents?: Readonly<Record<string, AuditEventDefinition>>
  /** By the table whose rows they delete. */
  retention?: Readonly<Record<string, RetentionJob>>
  /** By the name of the list. */
  personalData?: Readonly<Record<string, PersonalData>>
}

/** Joins what services declare. Throws an Error where two declare the same. */
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
