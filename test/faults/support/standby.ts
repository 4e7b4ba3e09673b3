import { execFile } from 'node:child_process'
import { appendFileSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Postgres } from '../../support/postgres.ts'
import { findBinaries, unprivilegedUser } from '../../support/postgres-binaries.ts'
import { afterThisProcess, freePort } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { postgresQuery } from './ledger.ts'

const exec = promisify(execFile)

/** A standby of `primary` in synchronous replication: what the primary acknowledges is on its disk too. */
export async function startStandby(primary: Postgres) {
  const bin = (await findBinaries()) as string
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-standby-'))
  const owner = await unprivilegedUser()
  if (owner) chownSync(folder, owner.uid, owner.gid)
  const as = { ...owner, cwd: folder }
  const data = join(folder, 'data')
  const port = await freePort()
  afterThisProcess('"$0/pg_ctl" stop -m immediate -D "$1/data"; cd / && rm -rf "$1"', [bin, folder], as)
  await exec(join(bin, 'pg_basebackup'), ['-D', data, '-R', '-X', 'stream', '-c', 'fast', '-d', primary.url], as)
  appendFileSync(join(data, 'postgresql.conf'), `port = ${port}\n`)
  const pgCtl = (...args: string[]) => exec(join(bin, 'pg_ctl'), [...args, '--wait', '--silent', '-D', data], as)
  await pgCtl('start', '-l', join(folder, 'log'))
  const query = postgresQuery(primary.url)
  await query("alter system set synchronous_standby_names = '*'")
  await query('select pg_reload_conf()')
  await until(async () => (await query("select 1 from pg_stat_replication where sync_state = 'sync'")).length > 0)
  return {
    port,
    /** A database of it, as the superuser. */
    url: (name: string) => Object.assign(new URL(primary.url), { port: String(port), pathname: `/${name}` }).href,
    promote: async () => void (await pgCtl('promote')),
    stop: async () => {
      await pgCtl('stop', '-m', 'immediate').catch(() => {})
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
