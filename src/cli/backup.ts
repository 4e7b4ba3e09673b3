import { Command } from 'commander'
import type { Config } from '../kernel/config/config.ts'
import { DatabaseError } from '../kernel/db/errors.ts'
import { backupSqlite, restoreSqlite } from '../kernel/db/sqlite/backup.ts'
import { vacuumSqlite } from '../kernel/db/sqlite/vacuum.ts'

export const backupCommand = (config: () => Config) =>
  new Command('backup')
    .description('copy the embedded database to a file, while it is in use')
    .argument('<file>', 'where to')
    .option('--force', 'replace the file if there is one')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      '\nKeep DATA_DIR/secret.key, or APP_SECRET, too: the service does not start on a restored database without it.',
    )
    .action(async (file: string, { force, json }: { force?: boolean; json?: boolean }) => {
      const interrupted = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => interrupted.abort(new DatabaseError('interrupted: no backup was made')))
      const done = await backupSqlite(embedded(config(), 'pg_dump --format=custom --file=FILE "$DATABASE_URL"'), file, {
        force,
        progress: process.stderr.isTTY ? showProgress : undefined,
        signal: interrupted.signal,
      })
      process.stdout.write(json ? `${JSON.stringify(done)}\n` : `wrote ${done.file}, ${size(done.bytes)}, checked\n`)
    })

export const restoreCommand = (config: () => Config) =>
  new Command('restore')
    .description('put a backup in the place of the embedded database; the service must be stopped')
    .argument('<file>', 'a file that "bukhindor backup" has made')
    .option('--json', 'as JSON')
    .action(async (from: string, { json }: { json?: boolean }) => {
      const file = embedded(config(), 'pg_restore --clean --if-exists --dbname="$DATABASE_URL" FILE')
      const { kept } = await restoreSqlite(from, file)
      const text = `restored ${file}${kept ? `; what was there is kept as ${kept}` : ''}\n`
      process.stdout.write(json ? `${JSON.stringify({ file, kept })}\n` : text)
    })

export function databaseCommand(config: () => Config): Command {
  const command = new Command('database').description('care for the embedded database')
  command
    .command('vacuum')
    .description('give the disk back what deleted rows have left; the service must be stopped')
    .option('--json', 'as JSON')
    .action(({ json }: { json?: boolean }) => {
      const file = embedded(config(), 'vacuumdb --full "$DATABASE_URL"')
      const { before, after } = vacuumSqlite(file)
      const text = `${file} had ${size(before)}, and has ${size(after)}\n`
      process.stdout.write(json ? `${JSON.stringify({ file, before, after })}\n` : text)
    })
  return command
}

/** The file of the embedded database. Throws DatabaseError with what is used `instead` on PostgreSQL. */
function embedded({ database }: Config, instead: string): string {
  if (database.engine === 'sqlite') return database.file
  throw new DatabaseError(
    `this is for the embedded database. With PostgreSQL use its own tools, such as: ${instead} (see docs/operations.md)`,
  )
}

function showProgress(part: number): void {
  process.stderr.write(part < 1 ? `\r${Math.floor(part * 100)} %` : '\r     \r')
}

function size(bytes: number): string {
  const steps = Math.min(3, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(1024)))
  return `${Math.round((bytes / 1024 ** steps) * 10) / 10} ${['bytes', 'KiB', 'MiB', 'GiB'][steps]}`
}
