import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFile, chown, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findBinaries, OLDEST_VERSION, unprivilegedUser } from './postgres-binaries.ts'
import { afterThisProcess, freePort } from './processes.ts'

const exec = promisify(execFile)

export interface Postgres {
  /** The maintenance database `postgres`, as its superuser. */
  url: string
  port: number
  dataDir: string
  /** Creates an empty database and returns its URL. */
  createDatabase(name?: string): Promise<string>
  /** `immediate` simulates a crash: no checkpoint, recovery at the next start. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** Starts the stopped cluster again, on the same port with the same data. */
  start(): Promise<void>
}

export interface PostgresOptions {
  /** Write through to the disk as in production. Off by default, since test data need not survive a power failure. */
  durable?: boolean
  /** Additional settings of `postgresql.conf`, such as `{ max_connections: '20' }`. */
  settings?: Record<string, string>
}

/** The user of the cluster's processes and the folder they start in. */
type RunAs = { uid?: number; gid?: number; cwd: string }

const CARELESS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/**
 * Starts a private PostgreSQL cluster from the installed binaries, on a free port of 127.0.0.1 and in a temporary folder.
 * However this process ends, the cluster is stopped and the folder is removed.
 * @returns null if PostgreSQL is not installed: the caller reports what it skips
 * @throws if it is not installed and `CI` is set, or if the cluster does not start (with its log)
 */
export async function startPostgres({
  durable = false,
  settings = {},
}: PostgresOptions = {}): Promise<Postgres | null> {
  const bin = await findBinaries()
  if (!bin) {
    if (process.env.CI) throw new Error(`PostgreSQL ${OLDEST_VERSION} or newer is not installed, and CI needs it`)
    return null
  }
  const folder = await mkdtemp(join(tmpdir(), 'bukhindor-postgres-'))
  const owner = await unprivilegedUser()
  if (owner) await chown(folder, owner.uid, owner.gid)
  const as: RunAs = { ...owner, cwd: folder }
  const dataDir = join(folder, 'data')
  afterThisProcess('"$0/pg_ctl" stop -m immediate -D "$1/data"; cd / && rm -rf "$1"', [bin, folder], as)

  const password = randomBytes(16).toString('hex')
  const port = await freePort()
  await initialise(bin, dataDir, as, password, {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    ...(durable ? {} : CARELESS),
    ...settings,
  })

  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  const pgCtl = (...args: string[]) => exec(join(bin, 'pg_ctl'), [...args, '--wait', '--silent', '-D', dataDir], as)
  const start = async () => {
    const log = join(folder, 'log')
    try {
      await pgCtl('start', '-l', log)
    } catch (cause) {
      throw new Error(`PostgreSQL did not start:\n${await readFile(log, 'utf8').catch(() => '')}`, { cause })
    }
  }
  await start()
  return {
    url,
    port,
    dataDir,
    createDatabase: (name) => createDatabase(url, name),
    stop: async (mode = 'fast') => {
      await pgCtl('stop', '-m', mode)
    },
    start,
  }
}

/** Creates the data folder with its configuration. */
async function initialise(bin: string, dataDir: string, as: RunAs, password: string, settings: Record<string, string>) {
  const passwordFile = join(as.cwd, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (as.uid !== undefined && as.gid !== undefined) await chown(passwordFile, as.uid, as.gid)
  const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8'
  const args = ['--no-sync', '--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', `--locale=${locale}`]
  await exec(join(bin, 'initdb'), [...args, `--pwfile=${passwordFile}`, `--pgdata=${dataDir}`], as)
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
  await appendFile(join(dataDir, 'postgresql.conf'), lines.join(''))
}

/** Creates a database on the server of `url`, empty or as a copy of the database in `url`, and returns its URL. */
export const createDatabase = (url: string, name?: string): Promise<string> => create(url, null, name)
export const copyDatabase = (url: string): Promise<string> => create(url, nameOf(url))

/** Drops the database in `url`, even if clients are connected to it. */
export const dropDatabase = (url: string): Promise<void> =>
  maintain(url, (client) => client.query(`drop database ${client.escapeIdentifier(nameOf(url))} with (force)`))

async function create(url: string, template: string | null, name = `test_${randomBytes(6).toString('hex')}`) {
  await maintain(url, (client) =>
    client.query(
      `create database ${client.escapeIdentifier(name)}${template ? ` template ${client.escapeIdentifier(template)}` : ''}`,
    ),
  )
  return withName(url, name)
}

async function maintain(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: withName(url, 'postgres') })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

const nameOf = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1))

function withName(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = encodeURIComponent(name)
  return changed.href
}
