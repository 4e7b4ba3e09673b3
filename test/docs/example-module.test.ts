import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ServerProcess, startServer } from '../support/processes.ts'

const exec = promisify(execFile)
const ROOT = fileURLToPath(import.meta.resolve('../../'))

/** The code blocks of a page, each with the path of the file that the sentence before it names. */
function* codeBlocks(markdown: string) {
  for (const [, path, language, code] of markdown.matchAll(
    /`((?:src|test)\/[^`]+\.ts)`:\n\n```(ts|diff)\n([\s\S]*?)^```/gm,
  ))
    yield { path: path as string, language, code: code as string }
}

const CLUSTER = process.env.TEST_POSTGRES_URL
let joiningLines = 0

/** Puts each `+` line of a diff behind the line that stands before it. */
function patch(text: string, diff: string): string {
  let anchor = ''
  for (const line of diff.trimEnd().split('\n')) {
    const content = `${line.slice(1)}\n`
    if (line.startsWith('+')) {
      assert.equal(text.split(`\n${anchor}`).length, 2, `"${anchor.trim()}" must stand in the file once`)
      text = text.replace(`\n${anchor}`, `\n${anchor}${content}`)
      joiningLines++
    }
    anchor = content
  }
  return text
}

describe('The module that docs/architecture.md adds', () => {
  let folder: string
  let server: ServerProcess
  const run = (command: string, ...args: string[]) => exec(command, args, { cwd: folder, env: environment() })
  const environment = () => ({
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    DATA_DIR: join(folder, 'data'),
    ...(CLUSTER && { TEST_POSTGRES_URL: CLUSTER }),
  })

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bukhindor-example-'))
    for (const name of ['bin', 'src', 'test/support', 'package.json', 'tsconfig.json', 'biome.json', 'boundaries.grit'])
      await cp(join(ROOT, name), join(folder, name), { recursive: true })
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    for (const { path, language, code } of codeBlocks(await readFile(join(ROOT, 'docs/architecture.md'), 'utf8'))) {
      const file = join(folder, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, language === 'ts' ? code : patch(await readFile(file, 'utf8'), code))
    }
  })
  after(async () => {
    await server?.stop('SIGINT')
    await rm(folder, { recursive: true, force: true })
  })

  test('keeps the style and the boundaries', async () => {
    const added = ['src/modules/notes', 'src/migrations/0010_notes.ts', 'test/modules/notes']
    const changed = ['src/errors.ts', 'src/services.ts', 'src/api.ts']
    await run('node_modules/.bin/biome', 'check', '--vcs-enabled=false', ...added, ...changed)
  })

  test('compiles', async () => {
    await run('node_modules/.bin/tsc', '--noEmit').catch((failed) => assert.fail(failed.stdout || failed.message))
  })

  test('needs five lines outside its folder, its migration and its test', () => assert.equal(joiningLines, 5))

  test('passes its own test on each engine', async () => {
    const { stdout } = await run(process.execPath, '--test', 'test/modules/notes/notes.test.ts')
    assert.match(stdout, CLUSTER ? /^ℹ pass 6$/m : /^ℹ pass 3$/m)
  })

  test('is in the documents', async () => {
    const support: { startServer: typeof startServer } = await import(join(folder, 'test/support/processes.ts'))
    server = await support.startServer({ DATA_DIR: join(folder, 'data'), LOG_FORMAT: 'json' })
    // biome-ignore lint/suspicious/noExplicitAny: the document as it comes
    const { paths, components } = (await (await fetch(`${server.url}/openapi.json`)).json()) as any
    const { security, responses } = paths['/api/v1/notes'].post
    assert.deepEqual(security, [{ bearer: [] }])
    assert.deepEqual(Object.keys(responses).slice(0, 3), ['201', '400', '401'])
    assert.match(responses[409].description, /`notes_full`/)
    assert.ok(components.schemas.AuditAction.enum.includes('note.created'))
    assert.match(await (await fetch(`${server.url}/docs/errors`)).text(), /notes_full/)
  })
})
