import { execFile } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

/** The oldest PostgreSQL that the service supports. */
export const OLDEST_VERSION = 15

/** The folder of `initdb` and `pg_ctl`: that of `pg_config`, or the newest of the usual ones, or null. */
export async function findBinaries(): Promise<string | null> {
  const named = await exec('pg_config', ['--bindir']).then(
    ({ stdout }) => [stdout.trim()],
    () => [],
  )
  const usual = globSync([
    '/usr/lib/postgresql/*/bin',
    '/usr/pgsql-*/bin',
    '/usr/local/pgsql/bin',
    '/{opt/homebrew,usr/local}/opt/postgresql@*/bin',
    '/Applications/Postgres.app/Contents/Versions/*/bin',
  ]).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  for (const folder of [...named, ...usual]) {
    // The client library alone has a pg_config too.
    if (!existsSync(join(folder, 'initdb'))) continue
    const { stdout } = await exec(join(folder, 'postgres'), ['--version'])
    if (Number(/\d+/.exec(stdout)?.[0]) >= OLDEST_VERSION) return folder
  }
  return null
}

/** The user that PostgreSQL runs as when this process runs as root, which PostgreSQL refuses; undefined otherwise. */
export async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const id = async (flag: string, name: string) => Number((await exec('id', [flag, name])).stdout)
  const user = async (name: string) => ({ uid: await id('-u', name), gid: await id('-g', name) })
  return user('postgres').catch(() => user('nobody'))
}
