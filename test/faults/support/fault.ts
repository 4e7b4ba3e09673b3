import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Postgres, type PostgresOptions, startPostgres } from '../../support/postgres.ts'
import { type ServerProcess, startServer } from '../../support/processes.ts'

/** The result of a fault: whether the service held, with figures. */
export interface Outcome {
  ok: boolean
  figure: string
}

/** One row of the table of faults. */
export interface Fault {
  name: string
  /** The injected fault and the expected behavior. */
  title: string
  holds: string
  /** Part of the fast run, for CI. */
  quick: boolean
  run(context: Context): Promise<Outcome>
}

/** A program that the fault needs is not installed. */
export class Missing extends Error {}

/** The tools of a fault; everything that it starts ends with it. */
export interface Context {
  quick: boolean
  folder: string
  defer(cleanUp: () => unknown): void
  server(env?: Record<string, string>, args?: string[]): Promise<ServerProcess>
  /** A private PostgreSQL that writes through to the disk. Throws Missing. */
  postgres(options?: PostgresOptions): Promise<Postgres>
}

/** Shared by all servers, so that tokens are valid at each. Clients are distinguished by the address they send. */
export const SETTINGS = {
  APP_SECRET: Buffer.from('the faults are the only ones to know this').toString('base64url'),
  APP_URL: 'https://api.example.org',
  TRUST_PROXY: 'loopback',
  LOG_LEVEL: 'warn',
}

/** Runs one fault with a folder of its own and cleans up afterwards, in reverse order. */
export async function runFault(fault: Fault, quick: boolean): Promise<Outcome> {
  const cleanUps: (() => unknown)[] = []
  const folder = await mkdtemp(join(tmpdir(), `bukhindor-fault-${fault.name}-`))
  const defer = (cleanUp: () => unknown) => void cleanUps.unshift(cleanUp)
  defer(() => rm(folder, { recursive: true, force: true }))
  const context: Context = {
    quick,
    folder,
    defer,
    async server(env = {}, args = []) {
      const server = await startServer({ DATA_DIR: join(folder, 'data'), ...SETTINGS, ...env }, args)
      defer(() => server.stop('SIGKILL'))
      return server
    },
    async postgres(options = {}) {
      const postgres = await startPostgres({ durable: true, ...options })
      if (!postgres) throw new Missing('PostgreSQL is not installed')
      defer(() => postgres.stop('immediate').catch(() => {}))
      return postgres
    },
  }
  try {
    return await fault.run(context)
  } finally {
    for (const cleanUp of cleanUps) await cleanUp()
  }
}
