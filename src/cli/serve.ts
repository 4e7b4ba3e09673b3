import cluster from 'node:cluster'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { dirname } from 'node:path'
import { Command } from 'commander'
import { createApp } from '../app.ts'
import { DatabaseError } from '../kernel/db/errors.ts'
import { migrateUp, migrationStatus, requireNonePending } from '../kernel/db/migrator.ts'
import { openDatabase } from '../kernel/db/open.ts'
import { masked } from '../kernel/db/postgres/url.ts'
import type { App } from '../kernel/http/types.ts'
import { ephemeralReason } from '../kernel/lib/container.ts'
import { createLog, type Log } from '../kernel/log/log.ts'
import { type Services, VERSION } from '../services.ts'
import { type Config, loadConfig, readEnvironment } from '../settings/config.ts'
import { commandLine } from './command-line.ts'
import { scheduleBackups } from './scheduled-backups.ts'
import { onSignal, shutDownOnOrder, shutDownOnSignal } from './shutdown.ts'
import { startWorkers } from './workers.ts'

export const serveCommand = (config: () => Config) =>
  new Command('serve')
    .description('update the database schema and start the server')
    .option('--no-migrate', 'do not update the schema; exit if it is not up to date')
    .action(async ({ migrate: shouldMigrate }: { migrate: boolean }) => {
      const settings = await resolvePort(config)
      const log = await createLog(settings)
      if (settings.production) process.on('SIGUSR1', () => {}) // By default, Node.js would start its inspector.
      if (cluster.isWorker) return serveAsWorker(settings, log)
      await prepareSchema(settings, shouldMigrate, log)
      await (settings.workers > 1 ? supervise(settings, log) : serve(settings, log))
    })

/** Replaces `PORT=0` by a free port, before links are built from it and workers share it. */
async function resolvePort(config: () => Config): Promise<Config> {
  const settings = config()
  if (settings.port !== 0) return settings
  const port = await findFreePort(settings.host)
  return loadConfig({ ...readEnvironment(), PORT: String(port) })
}

async function findFreePort(host: string): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening').catch((error) => {
    throw new DatabaseError(explainListenError(error, host, 0), { cause: error })
  })
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Serves from this process. */
async function serve(config: Config, log: Log): Promise<void> {
  const { app, services } = await createApp(config, log)
  const done = shutDownOnSignal({ app, services, log })
  await registerInstance(app, services)
  const address = await listen(app, config)
  announce(config, address, log)
  const endBackups = scheduleBackups(config, log)
  await done.finally(endBackups)
}

/** Starts several workers that share the port; this process serves no requests itself. */
async function supervise(config: Config, log: Log): Promise<void> {
  const { port, stop } = await startWorkers(config, log)
  const done = onSignal(log, stop)
  announce(config, `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`, log)
  const endBackups = scheduleBackups(config, log)
  await done.finally(endBackups)
}

/** Serves as one of the workers. */
async function serveAsWorker(config: Config, log: Log): Promise<void> {
  const workerLog = log.child({ worker: cluster.worker?.id })
  try {
    const { app, services } = await createApp(config, workerLog)
    const done = shutDownOnOrder({ app, services, log: workerLog })
    await registerInstance(app, services)
    await listen(app, config)
    await done
    process.disconnect()
  } catch (error) {
    process.channel?.unref() // The channel to the supervisor must not keep the process alive.
    throw error
  }
}

/** Registers this process as a running instance, which `migrate down` refuses to roll back under. */
const registerInstance = (app: App, { instance }: Services): Promise<void> =>
  instance.begin().catch(async (error) => {
    await app.close()
    throw error
  })

function listen(app: App, { port, host }: Config): Promise<string> {
  return app.listen({ port, host, backlog: 1024 }).catch(async (error: NodeJS.ErrnoException) => {
    await app.close()
    throw new DatabaseError(explainListenError(error, host, port), { cause: error })
  })
}

function announce(config: Config, address: string, log: Log): void {
  log.info({ address, engine: config.database.engine, workers: config.workers, version: VERSION }, 'listening')
  for (const warning of configurationWarnings(config)) log.warn(warning)
  process.stderr.write(banner(config, address))
}

/** Returns warnings about settings that work but are rarely intended in production. */
function configurationWarnings({ production, appUrl, smtpUrl, database }: Config): string[] {
  if (!production) return []
  const ephemeral = database.engine === 'sqlite' ? ephemeralReason(dirname(database.file)) : null
  return [
    ...(appUrl.startsWith('http:')
      ? [`APP_URL is ${appUrl}: links in e-mails are not encrypted. Set it to the public https address`]
      : []),
    ...(smtpUrl ? [] : ['SMTP_URL is not set: e-mails are written to files, and their links to this log']),
    ...(database.engine === 'sqlite' && ephemeral
      ? [
          `the database ${database.file} is in ${ephemeral}: accounts will be lost, and every replica has its own database. Use a persistent volume and one replica, or PostgreSQL`,
        ]
      : []),
  ]
}

async function prepareSchema(config: Config, shouldMigrate: boolean, log: Log): Promise<void> {
  const database = await openDatabase(config, { forMigration: shouldMigrate })
  try {
    const applied = shouldMigrate ? await migrateUp(database) : []
    if (applied.length) log.info({ applied }, 'migrations applied')
    const states = await migrationStatus(database)
    requireNonePending(states.filter(({ applied_at }) => applied_at === null))
    const newer = states.filter(({ is_known }) => !is_known).map(({ name }) => name)
    if (newer.length) log.warn({ newer }, 'the database schema is from a newer, compatible version')
  } finally {
    await database.close()
  }
}

function explainListenError(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE')
    return `port ${port} is in use: another program listens on ${host}:${port}. Set PORT to a free port`
  if (error.code === 'EACCES')
    return `no permission to listen on port ${port}: ports below 1024 require additional privileges. Set PORT to a higher port`
  if (error.code === 'EADDRNOTAVAIL') return `HOST=${host} is not an address of this machine`
  return error.message
}

/** Returns the text shown after a start. It goes to standard error: standard output is for the log. */
function banner(config: Config, address: string): string {
  const { database, dataDir, smtpUrl } = config
  return `
  Bukhindor is running at ${address}
    API documentation    ${address}/docs
    database             ${database.engine === 'sqlite' ? database.file : masked(database.url)}
    e-mails              ${smtpUrl ? 'sent by SMTP' : `written to ${dataDir}/mail`}
    first administrator  echo 'a good password' | ${commandLine(config)} user create --email you@example.org --name You --role admin --password-stdin

`
}
