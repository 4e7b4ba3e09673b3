import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const ROOT = fileURLToPath(import.meta.resolve('../../'))

/** What the linter must refuse: in which file, which line, and a part of what it says. */
const REFUSED: [file: string, line: string, message: RegExp][] = [
  ['src/kernel/clock.ts', "import { createUsers } from '../modules/users/users.service.ts'", /kernel knows no module/],
  [
    'src/kernel/db/x.ts',
    "import { createUsers } from '../../modules/users/users.service.ts'",
    /kernel knows no module/,
  ],
  ['src/kernel/http/x.ts', "import type { Services } from '../../services.ts'", /kernel knows no module/],
  ['src/kernel/http/z.ts', "import type { Config } from '../../settings/config.ts'", /kernel knows no module/],
  ['src/kernel/http/y.ts', "import type { App } from '../../app.ts'", /kernel knows no module/],
  ['src/migrations/0100_x.ts', "import { MAX } from '../modules/users/users.service.ts'", /knows the kernel only/],
  ['src/modules/x/x.service.ts', "import { createApp } from '../../app.ts'", /put together by services.ts/],
  ['src/modules/x/y.service.ts', "import type { Services } from '../../services.ts'", /put together by services.ts/],
  ['src/modules/x/x.routes.ts', "import { run } from '../../cli/cli.ts'", /put together by services.ts/],
  ['src/services.ts', "import { api } from './api.ts'", /point one way/],
  ['src/api.ts', "import { run } from './cli/cli.ts'", /point one way/],
  ['src/api.ts', "import type { VERSION } from './app.ts'", /point one way/],
  ['src/app.ts', "import { run } from './cli/cli.ts'", /point one way/],
  ['src/cli/x.ts', "import { api } from '../api.ts'", /point one way/],
  ['src/modules/users/x.ts', "import { createSessions } from '../sessions/sessions.service.ts'", /no module above/],
  ['src/modules/audit/x.ts', "import type { User } from '../users/users.schemas.ts'", /at the bottom/],
  ['src/modules/rate-limits/x.ts', "import type { Passwords } from '../credentials/passwords.ts'", /at the bottom/],
  ['src/modules/sessions/x.ts', "import { createAuth } from '../auth/auth.service.ts'", /no module above/],
  ['src/modules/auth/x.ts', "import { createAccount } from '../account/account.service.ts'", /otherwise stand alone/],
  ['src/modules/account/x.ts', "import { createHealth } from '../health/health.service.ts'", /otherwise stand alone/],
  ['src/modules/auth/y.ts', "import { userById } from '../users/users.store.ts'", /by its service/],
  ['src/modules/auth/hyphen.ts', "import * as store from '../rate-limits/rate-limits.store.ts'", /by its service/],
  ['src/modules/api-keys/x.ts', "import { y } from '../web-hooks/web-hooks.service.ts'", /otherwise stand alone/],
  ['src/modules/auth/z.ts', "import { usersRoutes } from '../users/users.routes.ts'", /by its service/],
  ['src/modules/auth/deep/z.ts', "export * from '../../users/users.store.ts'", /by its service/],
  ['src/modules/auth/late.ts', "export const late = () => import('../users/users.store.ts')", /by its service/],
  ['src/modules/auth/typed.ts', "export type Late = import('../users/users.store.ts').Filters", /by its service/],
  ['src/modules/y/y.service.ts', "import type { FastifyRequest } from 'fastify'", /knows no HTTP/],
  ['src/modules/y/y.store.ts', "import swagger from '@fastify/swagger'", /knows no HTTP/],
  ['src/modules/y/y.routes.ts', "import { sql } from 'kysely'", /know no SQL/],
  ['src/modules/z/z.routes.ts', "import * as store from './z.store.ts'", /know no SQL/],
  ['src/cli/environment.ts', 'export const port = process.env.PORT', /process\.env/],
]

const ALLOWED: [file: string, line: string][] = [
  ['src/main.ts', "export { run } from './cli/cli.ts'"],
  ['src/cli/a.ts', "export { createApp } from '../app.ts'"],
  ['src/app.ts', "export { api } from './api.ts'"],
  ['src/app.ts', "export { createServices } from './services.ts'"],
  ['src/api.ts', "export type { Services } from './services.ts'"],
  ['src/api.ts', "export { usersRoutes } from './modules/users/users.routes.ts'"],
  ['src/migrations/0100_a.ts', "export type { Db } from '../kernel/db/database.ts'"],
  ['src/modules/auth/a.service.ts', "export { createSessions } from '../sessions/sessions.service.ts'"],
  ['src/modules/users/users.routes.ts', "export { callerOf } from '../auth/guard.ts'"],
  ['src/modules/new/new.routes.ts', "export { callerOf } from '../auth/guard.ts'"],
  ['src/modules/new/config.service.ts', "export type { Config } from '../../settings/config.ts'"],
  ['src/modules/new/new.service.ts', "export { AppError } from '../../kernel/errors/app-error.ts'"],
  ['src/modules/new/new.service.ts', "export * as store from './new.store.ts'"],
  ['src/modules/new/new.store.ts', "export { sql } from 'kysely'"],
  ['src/modules/new/new.guard.ts', "export type { FastifyRequest } from 'fastify'"],
  ['src/settings/config.ts', 'export const environment = process.env'],
  ['src/kernel/http/a.ts', "export { AppError } from '../errors/app-error.ts'"],
]

interface Diagnostic {
  message: string
  location: { path: string }
}

describe('The linter enforces the import boundaries of docs/architecture.md', () => {
  const folders: string[] = []

  /** Lints a tree of these files under the rules of the project. */
  async function lint(files: [file: string, line: string, ...unknown[]][]): Promise<Diagnostic[]> {
    const folder = await mkdtemp(join(tmpdir(), 'bukhindor-boundaries-'))
    folders.push(folder)
    for (const name of ['biome.json', 'boundaries.grit']) await cp(join(ROOT, name), join(folder, name))
    for (const [file, line] of files) {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), `${line}\n`, { flag: 'a' })
    }
    const biome = join(ROOT, 'node_modules/.bin/biome')
    const args = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', 'src']
    const { stdout } = await exec(biome, args, { cwd: folder }).catch((failed) => failed)
    return JSON.parse(stdout).diagnostics
  }

  after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

  describe('refuses', () => {
    let diagnostics: Diagnostic[]
    before(async () => {
      diagnostics = await lint(REFUSED)
    })
    for (const [file, line, message] of REFUSED)
      test(`${line} in ${file}`, () => {
        const said = diagnostics.filter(({ location }) => location.path === file).map((found) => found.message)
        assert.match(said.join('\n'), message)
      })
  })

  test('accepts allowed imports', async () => {
    assert.deepEqual(await lint(ALLOWED), [])
  })
})
