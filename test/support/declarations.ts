import { globSync, readFileSync } from 'node:fs'
import type { AuditEventDefinition } from '../../src/kernel/lib/declaration.ts'

export const ROOT = new URL('../../', import.meta.url)

const modulesIn = (pattern: string) =>
  globSync(`src/modules/*/*.${pattern}.ts`, { cwd: ROOT })
    .sort()
    .map((path) => ({ path, module: path.split(/[\\/]/)[2] as string }))

/** The events of the audit log, by the files in which the modules define them. */
export const definedEvents: AuditEventDefinition[] = (
  await Promise.all(modulesIn('events').map(({ path }) => import(new URL(path, ROOT).href)))
).flatMap((page: Record<string, Record<string, AuditEventDefinition>>) => Object.values(page).flatMap(Object.values))

/** The tables, by the module that declares them. */
export const definedTables: { table: string; module: string }[] = modulesIn('tables').flatMap(({ path, module }) => {
  const [, declared = ''] = /interface Tables \{\n([^}]*)\}/.exec(readFileSync(new URL(path, ROOT), 'utf8')) ?? []
  return [...declared.matchAll(/^ {4}(\w+): \w+$/gm)].map(([, table]) => ({ table: table as string, module }))
})
