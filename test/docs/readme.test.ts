import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { requireStatus } from '../support/auth-calls.ts'
import { createClient } from '../support/process-client.ts'
import { type ServerProcess, startServer } from '../support/processes.ts'

const exec = promisify(execFile)
const ROOT = fileURLToPath(import.meta.resolve('../../'))

/** The shell blocks of a page. */
const shellBlocks = (markdown: string): string[] =>
  [...markdown.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block as string)

for (const name of ['README.md', 'README.ru.md'])
  describe(`The commands in ${name}`, () => {
    let folder: string
    let server: ServerProcess
    let blocks: string[]
    before(async () => {
      blocks = shellBlocks(await readFile(join(ROOT, name), 'utf8'))
      folder = await mkdtemp(join(tmpdir(), 'bukhindor-readme-'))
      server = await startServer({ DATA_DIR: folder, LOG_FORMAT: 'json' })
    })
    after(async () => {
      await server?.stop('SIGINT')
      await rm(folder, { recursive: true, force: true })
    })

    /** Runs the block with this in it as it stands, but for the address of the server. */
    async function paste(part: string): Promise<string> {
      const block = blocks.find((text) => text.includes(part))
      assert.ok(block, `no block has ${part}`)
      const bin = dirname(process.execPath)
      const { stdout } = await exec('sh', ['-c', block.replaceAll('http://127.0.0.1:8080', server.url)], {
        cwd: ROOT,
        env: { PATH: `${join(ROOT, 'node_modules/.bin')}:${bin}:${process.env.PATH}`, HOME: folder, DATA_DIR: folder },
      })
      return stdout
    }

    test('take a session from registration to logout', async () => {
      const [registered, me, sessions, same, signedOut, refused, ...rest] = (await paste('API=')).trim().split('\n')
      assert.equal(JSON.parse(registered as string).user.email, 'anna@example.org')
      assert.equal(JSON.parse(me as string).name, 'Анна')
      assert.equal(JSON.parse(sessions as string).sessions[0].device_id, 'my-terminal')
      assert.equal(same, 'the same successor')
      assert.ok(JSON.parse(signedOut as string).message)
      const { status, reason, error } = JSON.parse(refused as string)
      assert.deepEqual([status, reason], [401, 'session_ended'])
      assert.match(error, /Сеанс завершён/)
      assert.deepEqual(rest, [])
    })

    test('create the first administrator, who can sign in', async () => {
      assert.match(await paste('user create'), /you@example\.org \(admin/)
      const client = createClient(server.url)
      const answer = await client.login({ email: 'you@example.org', password: 'a good password' })
      client.close()
      assert.equal(requireStatus(200, answer).body.user.role, 'admin')
    })
  })

describe('The documentation', () => {
  test('has no dead links', async () => {
    const pages = (await readdir(ROOT, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.name.endsWith('.md') && !/node_modules|\.git|\/data/.test(entry.parentPath))
      .map((entry) => join(entry.parentPath, entry.name))
    assert.ok(pages.length > 10)
    const dead: string[] = []
    for (const page of pages)
      for (const [, target = ''] of (await readFile(page, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)) {
        const path = target.split('#', 1)[0] ?? ''
        if (path && !/^(https?|mailto):/.test(path) && !existsSync(join(dirname(page), path)))
          dead.push(`${page.slice(ROOT.length)}: ${target}`)
      }
    assert.deepEqual(dead, [])
  })

  test('lists every dependency', async () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      await readFile(join(ROOT, 'package.json'), 'utf8'),
    )
    const page = await readFile(join(ROOT, 'docs/dependencies.md'), 'utf8')
    const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
    assert.deepEqual(
      names.filter((name) => !name.startsWith('@types/') && !page.includes(`\`${name}\``)),
      [],
    )
  })

  test('has up-to-date generated pages', async () => {
    await exec(process.execPath, ['scripts/docs.ts', '--check'], { cwd: ROOT })
  })
})
