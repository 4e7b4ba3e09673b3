import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as policies from '../../src/modules/rate-limits/policies.ts'
import { definedEvents } from '../support/declarations.ts'
import levels from './asvs.json' with { type: 'json' }

const root = new URL('../../', import.meta.url)
const text = readFileSync(new URL('docs/security.md', root), 'utf8')

interface Row {
  id: string
  level: number
  statement: string
  state: string
  proof: string
}

const rows = [...text.matchAll(/^\| (\d+\.\d+\.\d+) \| (\d) \| (.+) \| (.+) \| (.*) \|$/gm)].map(
  ([, id, level, statement, state, proof]) => ({ id, level: Number(level), statement, state, proof }) as Row,
)
/** The anchors that GitHub gives the headings of a page in `docs/`. */
const anchorsOf = (page: string): string[] =>
  [...readFileSync(new URL(`docs/${page}`, root), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )

const titles = new Map<string, RegExp[]>()
/** The titles of the tests of a file, or of the attacks of one; what a title fills in may be any text. */
function titlesOf(file: string): RegExp[] {
  const known = titles.get(file)
  if (known) return known
  const source = readFileSync(new URL(file, root), 'utf8')
  const found = [...source.matchAll(/(?:\b(?:test|it)\(\s*|\btitle:\s*)(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(
    ([, , title = '']) =>
      new RegExp(
        `^${title
          .replace(/\\(.)/g, '$1')
          .split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/)
          .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
          .join('.+')}$`,
      ),
  )
  // Nothing but a placeholder would be any title at all.
  const useful = found.filter(({ source: pattern }) => pattern.replaceAll('.+', '').length > 4)
  titles.set(file, useful)
  return useful
}

describe('docs/security.md', () => {
  test('has every requirement once, in order, with its level', () => {
    assert.deepEqual(
      rows.map(({ id, level }) => [id, level]),
      Object.entries(levels),
    )
  })

  test('says of each whether it is met, and gives a proof or a reason', () => {
    for (const { id, statement, state, proof } of rows) {
      assert.match(state, /^(met|operator|accepted|not yet|n\/a)$/, id)
      assert.ok(proof.length > 0, `${id} has neither proof nor reason`)
      if (state !== 'met') continue
      // What asks for a text is met by the text, and all else by a test that runs.
      const asksForText = /document|inventory|schedule|classified|listed|Each class/.test(statement)
      assert.match(
        proof,
        asksForText ? /\]\((\.\.\/test\/|#)/ : /\]\(\.\.\/test\//,
        `${id} is met, and no test shows it`,
      )
    }
  })

  test('proves by titles of tests that are there, in the files that it names', () => {
    let count = 0
    for (const [, title = '', file = ''] of text.matchAll(/\[([^\]]+)\]\(\.\.\/(test\/[^)]+)\)/g)) {
      assert.ok(existsSync(new URL(file, root)), file)
      assert.ok(
        titlesOf(file).some((pattern) => pattern.test(title)),
        `${file} has no test "${title}"`,
      )
      count++
    }
    assert.ok(count > 200)
  })

  test('names tests and files that are there, and links to headings that are there', () => {
    for (const [, path = ''] of text.matchAll(/`((?:src|test|docs|deploy)\/[\w./-]+)`/g))
      assert.ok(existsSync(new URL(path, root)), path)
    for (const [, page, anchor = ''] of text.matchAll(/\]\(([\w-]+\.md)?#([\w-]+)\)/g))
      assert.ok(anchorsOf(page ?? 'security.md').includes(anchor), `${page ?? ''}#${anchor}`)
  })

  test('lists every action of the audit log', () => {
    const listed = text.match(/^- `.*`$/gm)?.flatMap((line) => line.slice(2).split(', '))
    assert.deepEqual(listed?.sort(), definedEvents.map(({ name }) => `\`${name}\``).sort())
  })

  test('tells the limits as they are', () => {
    const units: Record<number, string> = { 60000: 'a minute', 900000: 'in 15 min', 3600000: 'an hour' }
    const told = ({ quota, window }: policies.WindowPolicy) => `${quota.toLocaleString('en')} ${units[window]}`
    for (const [name, ...limits] of [
      ['registrations with an acceptable password', policies.REGISTRATION, policies.REGISTRATION_SITE],
      ['password reset e-mails', policies.RESET, policies.RESET_ADDRESS, policies.RESET_SITE],
      ['writes of a signed-in user', policies.WRITES],
      ['verification e-mails', policies.RESEND],
      ['e-mail changes', policies.EMAIL_CHANGE, policies.EMAIL_CHANGE_TO],
      ['exports', policies.EXPORT],
      ['refreshes with a token issued by the service', policies.REFRESH, policies.REFRESH_ADDRESS],
    ] as [string, ...policies.WindowPolicy[]][])
      assert.match(text, new RegExp(`^\\| ${name} \\| .* \\| ${limits.map(told).join('; ')}.* \\|$`, 'm'), name)
  })
})
