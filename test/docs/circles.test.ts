import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, test } from 'node:test'

const SRC = new URL('../../src/', import.meta.url)

/** What each file of `src/` imports of the others, types included. */
function importsOf(files: string[], read: (file: string) => string): Map<string, string[]> {
  return new Map(
    files.map((file) => [
      file,
      [...read(file).matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+\.ts)'/g)].map(([, path]) =>
        posix.join(posix.dirname(file), path as string),
      ),
    ]),
  )
}

/** The first way round that is found, as the files on it; null where there is none. */
function circleIn(imports: Map<string, string[]>): string[] | null {
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return null
    path.push(file)
    for (const next of imports.get(file) ?? []) {
      const circle = visit(next)
      if (circle) return circle
    }
    path.pop()
    done.add(file)
    return null
  }
  for (const file of imports.keys()) {
    const circle = visit(file)
    if (circle) return circle
  }
  return null
}

describe('The files of src/', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'))

  test('have no import cycles, types included', () => {
    const imports = importsOf(files, (file) => readFileSync(new URL(file, SRC), 'utf8'))
    assert.ok([...imports.values()].flat().length > 500, 'the imports are found')
    assert.deepEqual(circleIn(imports), null)
  })

  test('would fail this test with a cycle of types', () => {
    const texts: Record<string, string> = {
      'a/a.ts': "import type { B } from '../b.ts'",
      'b.ts': "export type B = import('./c.ts').C",
      'c.ts': "export { A } from './a/a.ts'",
    }
    const imports = importsOf(Object.keys(texts), (file) => texts[file] as string)
    assert.deepEqual(circleIn(imports), ['a/a.ts', 'b.ts', 'c.ts', 'a/a.ts'])
  })
})
