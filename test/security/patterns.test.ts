import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isEmail } from '../../src/kernel/http/validation.ts'
import { negotiateLocale } from '../../src/kernel/i18n/locale.ts'
import { withoutAddresses } from '../../src/kernel/log/log.ts'
import { isCommon } from '../../src/modules/credentials/common-passwords.ts'
import { isDate, isRepetition, isSequence } from '../../src/modules/credentials/password-patterns.ts'
import { checkPassword } from '../../src/modules/credentials/password-policy.ts'

const SOURCE = fileURLToPath(import.meta.resolve('../../src'))

/** Every `pattern` anywhere in a schema. */
function* patternsIn(schema: unknown): Generator<string> {
  if (typeof schema !== 'object' || schema === null) return
  if ('pattern' in schema && typeof schema.pattern === 'string') yield schema.pattern
  for (const value of Object.values(schema)) yield* patternsIn(value)
}

const LETTERS = ['a', ' ', '0', '-', '.', '@', '\u00ad', '\u200b', 'ы', '😀', 'a ', 'a.', 'aA0']
const ENDS = ['', '\n', '\0', '\ud800', '\u202e', '!', '@']

/** The least of some runs, in milliseconds: what else the machine does only adds. */
function timeOf(work: () => unknown): number {
  return Math.min(
    ...Array.from({ length: 4 }, () => {
      const start = performance.now()
      work()
      return performance.now() - start
    }),
  )
}

/** A text eight times as long costs a quadratic check 64 times as much, and a linear one eight times. */
function assertLinear(name: string, check: (text: string) => unknown): void {
  for (const letter of LETTERS)
    for (const end of ENDS) {
      const text = (length: number) => letter.repeat(length / letter.length) + end
      const [short, long] = [timeOf(() => check(text(8192))), timeOf(() => check(text(65_536)))]
      assert.ok(long < 1 || long < 30 * short, `${name} on ${JSON.stringify(letter)}…${JSON.stringify(end)}`)
    }
}

describe('Input is checked in linear time', () => {
  test('by the pattern of any schema', async () => {
    // Those that requests are checked by: the document leaves out what generators cannot compile.
    const files = globSync('**/*schemas.ts', { cwd: SOURCE })
    const modules = await Promise.all(files.map((file) => import(`${SOURCE}/${file}`)))
    const patterns = new Set(modules.flatMap((module) => [...patternsIn({ ...module })]))
    assert.ok(files.length > 5 && patterns.size > 3)
    for (const pattern of patterns) {
      const expression = new RegExp(pattern, 'u')
      assertLinear(pattern, (text) => expression.test(text))
    }
  })

  for (const [name, check] of Object.entries({ isEmail, isCommon, isDate, isRepetition, isSequence, negotiateLocale }))
    test(`by ${name}`, () => assertLinear(name, check))

  test('by the rules for new passwords', () =>
    assertLinear('checkPassword', (text) =>
      checkPassword(text, { minLength: 8, email: 'anna@example.org', name: text }),
    ))

  test('by the name of an address in the log', () => assertLinear('withoutAddresses', withoutAddresses))
})
