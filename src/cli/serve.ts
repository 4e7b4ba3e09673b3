import { Command } from 'commander'
import { createApp, migrate } from '../app.ts'
import type { Config } from '../kernel/config.ts'
import { openDatabase } from '../kernel/db/database.ts'
import { DatabaseError } from '../kernel/db/errors.ts'
import { migrationStatus } from '../kernel/db/migrator.ts'
import { masked } from '../kernel/db/postgres-url.ts'
import { createLog, type Log } from '../kernel/log.ts'
import { shutDownOnSignal } from './shutdown.ts'

export const serveCommand = (config: () => Config) =>
  new Command('serve')
    .description('bring the database up to date and serve')
    .option('--no-migrate', 'leave the schema as it is, and stop if it is not up to date')
    .action(async ({ migrate: allowed }: { migrate: boolean }) => {
      const settings = config()
      const log = await createLog(settings)
      await prepareSchema(settings, allowed, log)
      const { app, services } = await createApp(settings, log)
      const done = shutDownOnSignal({ app, services, log })
      const { port, host } = settings
      const address = await app.listen({ port, host, backlog: 1024 }).catch(async (error: NodeJS.ErrnoException) => {
        await app.close()
        throw new DatabaseError(explainListen(error, host, port), { cause: error })
      })
      log.info({ address, engine: services.database.engine, version: services.version }, 'listening')
      process.stderr.write(banner(settings, address))
      await done
    })

async function prepareSchema(config: Config, allowed: boolean, log: Log): Promise<void> {
  if (allowed) {
    const applied = await migrate(config)
    if (applied.length) log.info({ applied }, 'migrated')
    return
  }
  const database = await openDatabase(config)
  const states = await migrationStatus(database).finally(() => database.close())
  const pending = states.filter(({ applied_at }) => applied_at === null).map(({ name }) => name)
  if (pending.length)
    throw new DatabaseError(`the schema lacks ${pending.join(', ')}: run "bukhindor migrate up" first`)
}

function explainListen(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE')
    return `port ${port} is taken: another program listens on ${host}:${port}. Set PORT to a free one`
  if (error.code === 'EACCES')
    return `port ${port} may not be used: ports below 1024 need more rights. Set PORT to a higher one`
  if (error.code === 'EADDRNOTAVAIL') return `HOST=${host} is no address of this machine`
  return error.message
}

/** What a person who has just started it wants to know. On standard error: standard output is for the log. */
function banner({ database, dataDir, smtpUrl }: Config, address: string): string {
  return `
  Bukhindor is running at ${address}
    API documentation    ${address}/docs
    database             ${database.engine === 'sqlite' ? database.file : masked(database.url)}
    e-mails              ${smtpUrl ? 'by SMTP' : `as files in ${dataDir}/mail`}
    first administrator  echo 'a good password' | npx bukhindor user create --email you@example.org --name You --role admin --password-stdin

`
}
