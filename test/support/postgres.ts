import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { appendFile, chown, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

const exec = promisify(execFile)

/** The oldest PostgreSQL that the service supports. */
const OLDEST_VERSION = 15

export interface Postgres {
  /** The maintenance database `postgres`, as its superuser. */
  url: string
  port: number
  dataDir: string
  /** Makes an empty database and returns its URL. */
  createDatabase(name?: string): Promise<string>
  /** `immediate` is what a crash looks like: no checkpoint, recovery at the next start. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** Starts the stopped cluster again, on the same port with the same data. */
  start(): Promise<void>
}

export interface PostgresOptions {
  /** Write through to the disk as in production. Off by default, since a test's data need not outlive a power cut. */
  durable?: boolean
  /** More lines of `postgresql.conf`, such as `{ max_connections: '20' }`. */
  settings?: Record<string, string>
}

/**
 * Starts a private PostgreSQL cluster from the installed binaries, on a free port of 127.0.0.1 and in a folder of its
 * own. However this process ends, the cluster stops and the folder goes.
 * @returns null where PostgreSQL is not installed: the caller says what it leaves out.
 * @throws where PostgreSQL is not installed and `CI` is set, or when the cluster does not start; the message has its log.
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
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'bukhindor-postgres-')))
  const dataDir = join(folder, 'data')
  const log = join(folder, 'log')
  const owner = await unprivilegedUser()
  if (owner) await chown(folder, owner.uid, owner.gid)
  const as = { ...owner, cwd: folder }
  guard(folder, bin, as)

  const password = randomBytes(16).toString('hex')
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (owner) await chown(passwordFile, owner.uid, owner.gid)
  const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8'
  await exec(
    join(bin, 'initdb'),
    ['--no-sync', '--encoding=UTF8', `--locale=${locale}`, '--username=postgres', '--auth=scram-sha-256'].concat([
      `--pwfile=${passwordFile}`,
      `--pgdata=${dataDir}`,
    ]),
    as,
  )
  await rm(passwordFile)

  const port = await freePort()
  const careless = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
  const conf = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    ...(durable ? {} : careless),
    ...settings,
  }
  const lines = Object.entries(conf).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
  await appendFile(join(dataDir, 'postgresql.conf'), lines.join(''))

  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  const pgCtl = (...args: string[]) => exec(join(bin, 'pg_ctl'), [...args, '--wait', '--silent', '-D', dataDir], as)
  const start = async () => {
    try {
      await pgCtl('start', '-l', log)
    } catch (error) {
      const lines = await readFile(log, 'utf8').catch(() => '')
      throw new Error(`PostgreSQL did not start:\n${lines.trimEnd()}`, { cause: error })
    }
  }
  await start()
  return {
    url,
    port,
    dataDir,
    createDatabase: (name) => createDatabase(url, name),
    stop: async (mode = 'fast') => void (await pgCtl('stop', '-m', mode)),
    start,
  }
}

/** Makes an empty database on the server of `url` and returns its URL. */
export async function createDatabase(url: string, name = `test_${randomBytes(6).toString('hex')}`): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create database ${client.escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
  const created = new URL(url)
  created.pathname = encodeURIComponent(name)
  return created.href
}

type User = { uid: number; gid: number }

/** PostgreSQL refuses to run as root: root lends it another user. */
async function unprivilegedUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const id = async (flag: string, name: string) => Number((await exec('id', [flag, name])).stdout)
  const user = async (name: string) => ({ uid: await id('-u', name), gid: await id('-g', name) })
  return user('postgres').catch(() => user('nobody'))
}

/**
 * Ends the cluster when this process ends, `kill -9` included: a shell of its own session waits on a pipe that the kernel
 * closes with the process. Neither the shell nor the pipe keeps this process alive.
 */
function guard(folder: string, bin: string, as: object): void {
  const script = 'read -r _; "$0/pg_ctl" stop --silent --mode=immediate -D "$1/data"; cd / && rm -rf "$1"'
  const shell = spawn('sh', ['-c', script, bin, folder], {
    ...as,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  if (shell.stdin && 'unref' in shell.stdin) (shell.stdin as unknown as { unref(): void }).unref()
}

/** The folder of `initdb` and `pg_ctl`: the one that `pg_config` names, else the newest of the usual places. */
async function findBinaries(): Promise<string | null> {
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
  ])
  usual.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  for (const folder of [...named, ...usual]) {
    if (!existsSync(join(folder, 'initdb')) || !existsSync(join(folder, 'pg_ctl'))) continue
    const { stdout } = await exec(join(folder, 'postgres'), ['--version'])
    if (Number(/(\d+)/.exec(stdout)?.[1]) >= OLDEST_VERSION) return folder
  }
  return null
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no TCP port')
  return address.port
}
