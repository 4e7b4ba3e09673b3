import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openApiDocument } from '../../src/cli/openapi.ts'
import { isCommon } from '../../src/kernel/common-passwords.ts'
import { isEmail } from '../../src/kernel/http/validation.ts'
import { negotiateLocale } from '../../src/kernel/i18n.ts'
import { withoutAddresses } from '../../src/kernel/log.ts'

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

describe('A check of what people send takes time in proportion to its length', async () => {
  const patterns = new Set(patternsIn(await openApiDocument()))

  test('the document has patterns to look at', () => assert.ok(patterns.size > 2))

  for (const pattern of patterns)
    test(`by ${pattern}`, () => {
      const expression = new RegExp(pattern, 'u')
      assertLinear(pattern, (text) => expression.test(text))
    })

  for (const [name, check] of Object.entries({ isEmail, isCommon, negotiateLocale, withoutAddresses }))
    test(`by ${name}`, () => assertLinear(name, check))
})
