import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ServerProcess, startServer } from '../support/processes.ts'

const exec = promisify(execFile)
const ROOT = fileURLToPath(import.meta.resolve('../../'))

/** The code blocks of a page, each with the path of the file that the sentence before it names. */
function* codeBlocks(markdown: string) {
  for (const [, path, language, code] of markdown.matchAll(/`(src\/[^`]+\.ts)`:\n\n```(ts|diff)\n([\s\S]*?)^```/gm))
    yield { path: path as string, language, code: code as string }
}

/** Puts each `+` line of a diff behind the line that stands before it. */
function patch(text: string, diff: string): string {
  let anchor = ''
  for (const line of diff.trimEnd().split('\n')) {
    const content = `${line.slice(1)}\n`
    if (line.startsWith('+')) {
      assert.equal(text.split(`\n${anchor}`).length, 2, `"${anchor.trim()}" must stand in the file once`)
      text = text.replace(`\n${anchor}`, `\n${anchor}${content}`)
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

  it('keeps the style and the boundaries', async () => {
    await run(
      'node_modules/.bin/biome',
      'check',
      '--vcs-enabled=false',
      'src/modules/devices',
      'src/services.ts',
      'src/api.ts',
    )
  })

  it('has the right types', async () => {
    const { stdout } = await run('node_modules/.bin/tsc', '--noEmit').catch((failed) => failed)
    assert.doesNotMatch(stdout, /devices|src\/(services|api)\.ts/)
  })

  it('works: for administrators, with its errors and its documentation', async () => {
    const support: { startServer: typeof startServer } = await import(join(folder, 'test/support/processes.ts'))
    server = await support.startServer({ DATA_DIR: join(folder, 'data'), LOG_FORMAT: 'json' })
    const call = async (path: string, headers: Record<string, string> = {}, body?: object) => {
      const sent = { ...headers, ...(body && { 'content-type': 'application/json' }) }
      const answer = await fetch(server.url + path, {
        headers: sent,
        ...(body && { method: 'POST', body: JSON.stringify(body) }),
      })
      // biome-ignore lint/suspicious/noExplicitAny: whatever shape an answer has
      return { status: answer.status, body: (await answer.json()) as any }
    }
    const password = 'correct horse battery'
    await run(
      'sh',
      '-c',
      `echo '${password}' | node bin/bukhindor.js user create --email a@example.org --name Anna --role admin --password-stdin`,
    )
    const credentials = { email: 'a@example.org', password }
    const { body } = await call('/api/v1/auth/login', { 'x-app-type': 'android' }, credentials)
    await call('/api/v1/auth/login', { 'x-app-type': 'android' }, credentials)
    await call('/api/v1/auth/login', { 'x-app-type': 'ios' }, credentials)
    const admin = { authorization: `Bearer ${body.user.access_token}` }

    assert.deepEqual(await call('/api/v1/devices', admin), {
      status: 200,
      body: {
        devices: [
          { app_type: 'android', sessions: 2 },
          { app_type: 'ios', sessions: 1 },
        ],
      },
    })
    assert.equal((await call('/api/v1/devices?least=2', admin)).body.devices.length, 1)
    assert.equal((await call('/api/v1/devices?least=0', admin)).body.fields[0].path, '/least')
    assert.equal((await call('/api/v1/devices')).status, 401)
    const { paths } = (await call('/openapi.json')).body
    assert.deepEqual(paths['/api/v1/devices'].get.security, [{ bearer: [] }])
  })
})
