import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createClient, signUp, tally } from '../support/process-client.ts'
import { afterThisProcess, freePort } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { manyRequests } from './sigterm.ts'
import { startBalancer } from './support/balancer.ts'
import { type Fault, SETTINGS } from './support/fault.ts'
import { postgresQuery } from './support/ledger.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A copy of this version with one more migration: the next version. */
function nextVersion(folder: string): string {
  const next = join(folder, 'next')
  mkdirSync(next)
  for (const part of ['bin', 'src', 'package.json']) cpSync(join(ROOT, part), join(next, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(next, 'node_modules'))
  writeFileSync(
    join(next, 'src/migrations/9000_next_version.ts'),
    `import { sql } from 'kysely'
import type { Migration } from '../migrator.ts'

export const up: Migration['up'] = async (db) => {
  await sql\`alter table users add column nickname text\`.execute(db)
  await sql\`create index users_nickname on users (nickname)\`.execute(db)
}
export const down: Migration['down'] = async (db) => {
  await sql\`alter table users drop column nickname\`.execute(db)
}
`,
  )
  return join(next, 'bin/bukhindor.js')
}

export const upgrade: Fault = {
  name: 'upgrade',
  title: 'rolling upgrade across a migration, behind haproxy, on PostgreSQL',
  holds: 'old and new serve side by side; 0 failed',
  quick: false,
  async run(context) {
    const postgres = await context.postgres()
    const DATABASE_URL = await postgres.createDatabase()
    const [oldPort, newPort] = [await freePort(), await freePort()]
    const old = await context.server({ DATABASE_URL, PORT: String(oldPort) })
    const entry = nextVersion(context.folder)
    const client = createClient(await startBalancer(context, [oldPort, newPort]), { sockets: 16 })
    const { access_token } = await signUp(client, 'anna@example.org')
    const newer = createClient(`http://127.0.0.1:${newPort}`)
    let sideBySide = 0
    let isDone = false
    const roll = async () => {
      const env = {
        ...SETTINGS,
        PATH: process.env.PATH,
        HOST: '127.0.0.1',
        PORT: String(newPort),
        DATABASE_URL,
        DATA_DIR: join(context.folder, 'next-data'),
      }
      const child = spawn(process.execPath, [entry, 'serve'], { env, stdio: 'ignore' })
      const guard = afterThisProcess('kill -9 "$0"', [String(child.pid)])
      context.defer(() => {
        guard.kill('SIGKILL')
        child.kill('SIGKILL')
      })
      await until(async () => (await newer.get('/health/ready')).status === 200)
      // An old instance goes only after the balancer has found the new one.
      await until(async () => (await client.get('/health/live')).headers['x-served-by'] === 's1')
      const before = sideBySide
      await until(async () => sideBySide > before + 500)
      return old.stop('SIGTERM')
    }
    let rolled: Promise<number | null> | undefined
    const answers = []
    while (!isDone) {
      answers.push(
        ...(await manyRequests(client, access_token, 2000, () => {
          sideBySide++
          rolled ??= roll().finally(() => {
            isDone = true
          })
        })),
      )
    }
    const status = await rolled
    const [column] = await postgresQuery(DATABASE_URL)('select 1 from schema_migrations where version = 9000')
    const failed = answers.filter(({ status }) => status !== 200).length
    client.close()
    newer.close()
    return {
      ok: failed === 0 && status === 0 && Boolean(column),
      figure: `${failed} failed of ${answers.length} (${tally(answers)}); the old instance exited with ${status}`,
    }
  },
}
