import { Command } from 'commander'
import { DatabaseError } from '../kernel/db/errors.ts'
import { backupSqlite, restoreSqlite } from '../kernel/db/sqlite/backup.ts'
import { vacuumSqlite } from '../kernel/db/sqlite/vacuum.ts'
import type { Config } from '../settings/config.ts'

export const backupCommand = (config: () => Config) =>
  new Command('backup')
    .description('back up the embedded database to a file; safe while the service is running')
    .argument('<file>', 'path of the backup')
    .option('--force', 'overwrite an existing file')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nBack up DATA_DIR/secret.key or APP_SECRET as well: without it, the service does not start on a restored database.',
    )
    .action(async (file: string, { force, json }: { force?: boolean; json?: boolean }) => {
      const interrupted = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => interrupted.abort(new DatabaseError('interrupted: no backup was made')))
      const result = await backupSqlite(
        requireEmbedded(config(), 'pg_dump --format=custom --file=FILE "$DATABASE_URL"'),
        file,
        {
          force,
          progress: process.stderr.isTTY ? showProgress : undefined,
          signal: interrupted.signal,
        },
      )
      process.stdout.write(
        json ? `${JSON.stringify(result)}\n` : `Wrote ${result.file} (${size(result.bytes)}, verified)\n`,
      )
    })

export const restoreCommand = (config: () => Config) =>
  new Command('restore')
    .description('replace the embedded database with a backup; stop the service first')
    .argument('<file>', 'a file created by "bukhindor backup"')
    .option('--json', 'print JSON')
    .action(async (from: string, { json }: { json?: boolean }) => {
      const file = requireEmbedded(config(), 'pg_restore --clean --if-exists --dbname="$DATABASE_URL" FILE')
      const { kept } = await restoreSqlite(from, file)
      const text = `Restored ${file}${kept ? `. The previous database is kept as ${kept}` : ''}\n`
      process.stdout.write(json ? `${JSON.stringify({ file, kept })}\n` : text)
    })

export function databaseCommand(config: () => Config): Command {
  const command = new Command('database').description('maintain the embedded database')
  command
    .command('vacuum')
    .description('return the space of deleted rows to the disk; stop the service first')
    .option('--json', 'print JSON')
    .action(({ json }: { json?: boolean }) => {
      const file = requireEmbedded(config(), 'vacuumdb --full "$DATABASE_URL"')
      const { before, after } = vacuumSqlite(file)
      const text = `Vacuumed ${file}: ${size(before)} before, ${size(after)} now\n`
      process.stdout.write(json ? `${JSON.stringify({ file, before, after })}\n` : text)
    })
  return command
}

/** Returns the file of the embedded database. Throws DatabaseError naming the command to use `instead` on PostgreSQL. */
function requireEmbedded({ database }: Config, instead: string): string {
  if (database.engine === 'sqlite') return database.file
  throw new DatabaseError(
    `this command is for the embedded database. With PostgreSQL, use its own tools, for example: ${instead} (see docs/operations.md)`,
  )
}

function showProgress(part: number): void {
  process.stderr.write(part < 1 ? `\r${Math.floor(part * 100)} %` : '\r     \r')
}

function size(bytes: number): string {
  const unit = Math.min(3, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(1024)))
  return `${Math.round((bytes / 1024 ** unit) * 10) / 10} ${['bytes', 'KiB', 'MiB', 'GiB'][unit]}`
}
