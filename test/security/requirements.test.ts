import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as policies from '../../src/modules/rate-limits/policies.ts'
import { ATTACKS } from '../attacks/list.ts'
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

/** Requirements that ask for a document: a section of this page meets them. All others are met by a test. */
const MET_BY_A_SECTION = new Set([
  ...['2.1.2', '2.1.3', '6.1.2', '6.1.3', '7.1.1', '7.1.2', '8.1.1', '8.1.2', '11.1.1', '11.1.2'],
  ...['13.1.1', '13.1.2', '13.1.3', '13.1.4', '13.2.4', '14.1.1', '14.1.2', '15.1.1', '15.1.3', '16.1.1'],
])

const LINK = /\[([^\]]+)\]\(([^)]*)\)/g
const linksOf = (markdown: string) =>
  [...markdown.matchAll(LINK)].map(([, name = '', target = '']) => ({ name, target }))
const isTest = ({ target }: { target: string }) => target.startsWith('../test/')

/** `describe` or `test` at the beginning of a line or behind the head of a loop, and its title. */
const CALL = /^( *)(?:for \(.*\) )?(describeOnEachEngine|describe|test)\(\s*(['"`])((?:\\.|(?!\3)[^\\])*)\3/gm
const PLACEHOLDER = /\$\{(?:[^{}]|\{[^{}]*\})*\}/

/** Whether a value stands in a source as a whole: as a text, as a key or as a number. */
const standsIn = (source: string, value: string): boolean =>
  [`'${value}'`, `"${value}"`, ` ${value}: `].some((literal) => source.includes(literal)) ||
  (/^\d+$/.test(value) && new RegExp(`\\b${value}\\b`).test(source))

/** Whether `text` is what a title gives: the values in its placeholders stand in the file of the test. */
function isFilledIn(title: string, text: string, source: string): boolean {
  const pattern = title
    .split(PLACEHOLDER)
    .map((part) => part.replace(/\\(.)/g, '$1').replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('(.+)')
  const match = new RegExp(`^${pattern}$`).exec(text)
  return Boolean(match?.slice(1).every((value) => standsIn(source, value)))
}

/** The tests of a file, each as `suite › title`. */
function namesOf(source: string): string[] {
  const suites: { depth: number; title: string }[] = []
  const names: string[] = []
  for (const [, { length: depth } = '', call, , title = ''] of source.matchAll(CALL)) {
    while ((suites.at(-1)?.depth ?? -1) >= depth) suites.pop()
    if (call === 'test') names.push([...suites.map((suite) => suite.title), title].join(' › '))
    else suites.push({ depth, title })
  }
  return names
}

/** Whether there is a test of this name, or an attack of the fast run with this title. */
function isTested(name: string, file: string): boolean {
  const source = readFileSync(new URL(file, root), 'utf8')
  if (!file.endsWith('.test.ts'))
    return ATTACKS.some(({ title, quick }) => quick && title === name) && source.includes(name)
  return namesOf(source).some((title) => isFilledIn(title, name, source))
}

describe('docs/security.md', () => {
  test('has every requirement once, in order, with its level', () => {
    assert.deepEqual(
      rows.map(({ id, level }) => [id, level]),
      Object.entries(levels),
    )
  })

  test('gives a state for each, and a proof where it is met', () => {
    for (const { id, state, proof } of rows) {
      assert.match(state, /^(met|operator|accepted|not yet|n\/a)$/, id)
      assert.ok(proof.replace(LINK, '').trim().length > 10 || state === 'met', `${id} has no reason`)
      if (state !== 'met') continue
      const links = linksOf(proof)
      if (MET_BY_A_SECTION.has(id))
        assert.ok(
          links.some(({ target }) => target.startsWith('#')),
          `${id} links to no section`,
        )
      else assert.ok(links.some(isTest), `${id} is met, and no test shows it`)
    }
    for (const id of MET_BY_A_SECTION) assert.ok(id in levels, id)
  })

  test('links to existing tests, each by its full name', () => {
    const proofs = linksOf(text).filter(isTest)
    assert.ok(proofs.length > 200)
    const missing = proofs.filter(({ name, target }) => !isTested(name, target.slice('../'.length)))
    assert.deepEqual(missing, [])
  })

  test('would not accept a test that does not exist', () => {
    const title = '`keeps $' + '{who} out`'
    const source = [
      "test('is closed', () => {})",
      "describe('A door', () => {",
      `  for (const who of ['a thief']) test(${title}, () => {})`,
      '})',
    ].join('\n')
    const names = namesOf(source)
    assert.equal(names.length, 2)
    for (const [text, isOne] of [
      ['is closed', true],
      ['A door › keeps a thief out', true],
      ['A door › keeps a guest out', false],
      ['keeps a thief out', false],
      ['A door › keeps a thief out at night', false],
      ['is closed at night', false],
    ] as const)
      assert.equal(
        names.some((name) => isFilledIn(name, text, source)),
        isOne,
        text,
      )
  })

  test('names existing files and links to existing headings', () => {
    for (const [, path = ''] of text.matchAll(/`((?:src|test|docs|deploy)\/[\w./-]+)`/g))
      assert.ok(existsSync(new URL(path, root)), path)
    for (const [, page, anchor = ''] of text.matchAll(/\]\(([\w-]+\.md)?#([\w-]+)\)/g))
      assert.ok(anchorsOf(page ?? 'security.md').includes(anchor), `${page ?? ''}#${anchor}`)
  })

  test('lists every action of the audit log', () => {
    const listed = text.match(/^- `.*`$/gm)?.flatMap((line) => line.slice(2).split(', '))
    assert.deepEqual(listed?.sort(), definedEvents.map(({ name }) => `\`${name}\``).sort())
  })

  test('states the limits as configured', () => {
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
