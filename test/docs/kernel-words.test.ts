import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DOCUMENT } from '../../src/api.ts'
import { kernelErrors } from '../../src/kernel/errors/kernel-errors.ts'
import * as messages from '../../src/messages.ts'
import { authHeaders } from '../../src/modules/auth/auth.headers.ts'
import { MAIL_LIMITS } from '../../src/modules/emails/limits.ts'
import * as policies from '../../src/modules/rate-limits/policies.ts'
import { definedEvents, definedTables } from '../support/declarations.ts'
import { ERRORS } from '../support/errors.ts'

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

/** What the modules call their own: in the kernel, each of these would be knowledge of a module. */
const words = [
  ...Object.keys(ERRORS).filter((reason) => !(reason in kernelErrors)),
  ...Object.values(messages).flatMap(Object.keys),
  ...definedEvents.map(({ name }) => name),
  ...Object.keys(MAIL_LIMITS),
  ...Object.keys(authHeaders),
  ...definedTables.map(({ table }) => table),
  // A limit of one word, such as `login`, is a word of many things.
  ...Object.values(policies)
    .flatMap((policy) => (typeof policy === 'object' ? [policy.name] : []))
    .filter((name) => name.includes('-')),
  ...DOCUMENT.tags.map(({ name }) => name),
]

/** A word of several parts is told by itself; `users` only as a name in quotes. */
const patternOf = (word: string) =>
  new RegExp(/[a-z][._-][a-z]/i.test(word) ? `(?<![\\w.-])${word}(?![\\w-])` : `['"\`]${word}['"\`]`)

test('the kernel names no error, sentence, event, e-mail, header, table, limit or tag of a module', () => {
  assert.ok(words.length > 80, `${words.length} words`)
  const found = globSync('src/kernel/**/*.ts', { cwd: new URL('../..', import.meta.url) }).flatMap((path) => {
    const text = file(path)
    return words.filter((word) => patternOf(word).test(text)).map((word) => `${path}: ${word}`)
  })
  assert.deepEqual(found, [])
})
