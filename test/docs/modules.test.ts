import assert from 'node:assert/strict'
import { globSync, readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { collect, type Declaration } from '../../src/kernel/lib/declaration.ts'
import { useApp } from '../support/app.ts'
import { definedEvents, definedTables, ROOT } from '../support/declarations.ts'

interface Modules {
  names: string[]
  /** Paths of test files. */
  tests: string[]
  tables: { table: string; module: string }[]
  events: { name: string }[]
  declared: Declaration
}

/** What modules have forgotten to declare, a sentence for each. */
function forgotten({ names, tests, tables, events, declared }: Modules): string[] {
  const { retention = {}, auditEvents = {} } = declared
  return [
    ...names
      .filter((name) => !tests.some((path) => path.startsWith(`test/modules/${name}/`)))
      .map((name) => `${name} has no test in test/modules/${name}`),
    ...tables
      .filter(({ table }) => !(table in retention))
      .map(({ table, module }) => `${module} declares no retention job for ${table}`),
    ...events
      .filter(({ name }) => !(name in auditEvents))
      .map(({ name }) => `no service declares the audit event ${name}`),
  ]
}

describe('Every module', () => {
  const app = useApp('sqlite')
  const names = readdirSync(new URL('src/modules', ROOT))
  const tests = globSync('test/**/*.test.ts', { cwd: ROOT })

  test('has tests, a retention job for each of its tables, and declares each of its audit events', () => {
    assert.ok(names.length > 8 && definedTables.length > 5 && definedEvents.length > 20)
    const { declared } = app.services
    assert.deepEqual(forgotten({ names, tests, tables: definedTables, events: definedEvents, declared }), [])
  })

  test('that forgets one of them is named', () => {
    const complete: Modules = {
      names: ['notes'],
      tests: ['test/modules/notes/notes.test.ts'],
      tables: [{ table: 'notes', module: 'notes' }],
      events: [{ name: 'note.created' }],
      declared: collect({
        notes: { declares: { retention: { notes: async () => 0 }, auditEvents: { 'note.created': {} } } },
      }),
    }
    assert.deepEqual(forgotten(complete), [])
    assert.deepEqual(forgotten({ ...complete, tests: [], declared: collect({ notes: {} }) }), [
      'notes has no test in test/modules/notes',
      'notes declares no retention job for notes',
      'no service declares the audit event note.created',
    ])
  })

  test('declares nothing that another has declared', () => {
    const service = { declares: { retention: { notes: async () => 0 } } }
    assert.throws(() => collect({ one: service, other: service }), /two services declare retention\.notes/)
  })
})
