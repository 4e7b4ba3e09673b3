import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '../../test/support/postgres.ts'
import { seed } from '../seed.ts'
import { drive, type Load, type Plan } from './load.ts'
import { outputOf, splitCores } from './machine.ts'
import type { PacedLoad, PacedPlan } from './paced.ts'
import { freePort, launch, residentMiB, run, stop, untilReady } from './processes.ts'

export interface Options {
  quick: boolean
  rounds: number
  /** Of one contender in one round, and of its warming up. */
  seconds: number
  warmup: number
  /** How many users the large databases have. */
  users: number
  /** How many requests the soak sends. */
  soak: number
  /** A folder for a CPU profile of each server, written when it ends. */
  profile?: string
}

export type Engine = 'sqlite' | 'postgres'
export const engineNames: Record<Engine, string> = { sqlite: 'SQLite', postgres: 'PostgreSQL' }

/** A database and its secrets, as the environment of a server or a command. */
export interface Data {
  engine: Engine
  env: Record<string, string>
}

/** A process that answers HTTP. */
export interface Server {
  url: string
  pid: number
  /** Milliseconds from its start to its first 2xx. */
  readyAfter: number
  data?: Data
  /** Resident memory in MiB. */
  memory(): number
  stop(): Promise<void>
}

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
export const bukhindor = path('bin/bukhindor.js')
const paced = path('bench/lib/paced.ts')

export type Bench = Awaited<ReturnType<typeof createBench>>

/** What the scenarios are handed: it starts what they ask for, and ends all of it. */
export async function createBench(options: Options) {
  const cores = splitCores()
  const servers = new Set<Server>()
  const seeded = new Map<string, Promise<Data>>()
  const postgres = await startPostgres({ durable: true, settings: { shared_buffers: '512MB', max_wal_size: '4GB' } })
  if (postgres && cores.load) await pinPostgres(postgres.dataDir, cores.load)
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  let count = 0
  let closing: Promise<void> | undefined

  const bench = {
    options,
    cores,
    folder,
    engines: (postgres ? ['sqlite', 'postgres'] : ['sqlite']) as Engine[],

    /** The URL of a new and empty PostgreSQL database. Throws where there is no PostgreSQL. */
    async postgresDatabase(): Promise<string> {
      if (!postgres) throw new Error('PostgreSQL is not installed')
      return postgres.createDatabase(`bench_${++count}`)
    },

    /** A new and empty database. */
    async database(engine: Engine): Promise<Data> {
      const dataDir = join(folder, `data-${++count}`)
      await mkdir(dataDir)
      const env: Record<string, string> = { DATA_DIR: dataDir, APP_SECRET: randomBytes(32).toString('base64url') }
      if (engine === 'postgres') env.DATABASE_URL = await bench.postgresDatabase()
      return { engine, env }
    },

    /** A database with many people in it, made when first asked for. */
    seeded(engine: Engine, users = options.users): Promise<Data> {
      const key = `${engine} ${users}`
      const known = seeded.get(key) ?? makeSeeded(engine, users)
      seeded.set(key, known)
      return known
    },

    /** Runs a command of `bukhindor` on a database. */
    command: (data: Data, args: string[], input = '') =>
      run(process.execPath, [bukhindor, ...args], { env: data.env, input }),

    /**
     * The service with everything on: JSON log to a file, production headers. It trusts the load generator as a proxy,
     * so that each account can come from an address of its own, as in life. Access tokens last through a long run.
     */
    async server(data: Data, { env = {} as Record<string, string>, cpus = cores.server } = {}): Promise<Server> {
      const settings = { LOG_FORMAT: 'json', LOG_LEVEL: 'info', TRUST_PROXY: '127.0.0.1', JWT_EXPIRATION: '1d' }
      const profiling = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : []
      const server = await serve(
        [...profiling, bukhindor, 'serve'],
        { ...settings, ...data.env, ...env },
        '/health/ready',
        cpus,
      )
      return Object.assign(server, { data })
    },

    /** A server of `contenders/`. */
    contender: (name: string, env: Record<string, string> = {}, ready = '/') =>
      serve([path(`bench/contenders/${name}.ts`)], env, ready, cores.server),

    /** Any other program that answers HTTP on a port of its own. */
    program: (program: string, args: (port: number) => string[], ready: string) =>
      serve(args, {}, ready, cores.server, program),

    /** A closed loop, see `drive`; `cpus` defaults to the cores for load. */
    load: (plan: Plan, cpus = cores.load): Promise<Load> => drive(plan, folder, cpus),

    /** An open loop, see `paced.ts`. */
    async paced(plan: PacedPlan): Promise<PacedLoad> {
      return JSON.parse(await run(process.execPath, [paced], { cpus: cores.load, input: JSON.stringify(plan) }))
    },

    /** What the cores of the server can hash per second when they do nothing else. */
    async hashes(seconds: number): Promise<number> {
      const output = await run(process.execPath, [path('bench/contenders/argon2.ts'), String(seconds)], {
        cpus: cores.server,
      })
      return Number(output)
    },

    async stopServers(): Promise<void> {
      await Promise.all([...servers].map((server) => server.stop()))
    },

    /** Ends everything; a second call waits for the first. */
    close: (): Promise<void> => (closing ??= bench.stopServers().then(() => postgres?.stop())),
  }

  async function serve(
    args: string[] | ((port: number) => string[]),
    env: Record<string, string>,
    ready: string,
    cpus: string,
    program = process.execPath,
  ): Promise<Server> {
    const port = await freePort()
    const log = join(folder, `server-${++count}.log`)
    const url = `http://127.0.0.1:${port}`
    const command = typeof args === 'function' ? args(port) : args
    const child = launch({ args: command, program, env: { PORT: String(port), ...env }, cpus, log })
    const server: Server = {
      url,
      pid: child.pid as number,
      readyAfter: 0,
      memory: () => residentMiB(child.pid as number),
      async stop() {
        await stop(child)
        servers.delete(server)
        rmSync(log, { force: true })
      },
    }
    servers.add(server)
    server.readyAfter = await untilReady(child, `${url}${ready}`, log)
    return server
  }

  async function makeSeeded(engine: Engine, users: number): Promise<Data> {
    const data = await bench.database(engine)
    await bench.command(data, ['migrate', 'up'])
    await seed(data, users)
    return data
  }

  return bench
}

/** The database is a machine of its own in life: it does not take the server's core. Its children inherit this. */
async function pinPostgres(dataDir: string, cpus: string): Promise<void> {
  const [pid = ''] = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')
  outputOf('taskset', '-a', '-c', '-p', cpus, pid)
}
