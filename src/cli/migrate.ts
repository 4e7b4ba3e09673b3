import { Command } from 'commander'
import type { Database } from '../kernel/db/database.ts'
import { migrateDown, migrateUp, migrationStatus, previewDown, type RollbackPreview } from '../kernel/db/migrator.ts'
import { openDatabase } from '../kernel/db/open.ts'
import type { Config } from '../settings/config.ts'
import { confirm } from './confirm.ts'

const DOWN_HELP = `
An older version often runs on a newer database without a rollback ("migrate status" of the older version tells): try
that first, because it loses no data. Make a backup before you roll back.`

/** Creates the commands `migrate up`, `down` and `status`. */
export function migrateCommand(config: () => Config): Command {
  const command = new Command('migrate').description('update the database schema, or roll it back')
  const withDatabase = async (work: (database: Database) => Promise<unknown>) => {
    const database = await openDatabase(config(), { forMigration: true })
    await work(database).finally(() => database.close())
  }
  const print = (json: boolean | undefined, value: unknown, text: string) =>
    process.stdout.write(json ? `${JSON.stringify(value)}\n` : text)

  command
    .command('up')
    .description('apply pending migrations; safe while instances are running')
    .option('--json', 'print JSON')
    .action(({ json }) =>
      withDatabase(async (database) => {
        const applied = await migrateUp(database)
        print(
          json,
          { applied },
          applied.length ? applied.map((name) => `Applied ${name}\n`).join('') : 'Nothing to do\n',
        )
      }),
    )
  command
    .command('down')
    .description('roll back the latest migration (deletes its data); refused while the service is running')
    .option('--yes', 'skip the confirmation')
    .option('--dry-run', 'show what would be deleted, without changing anything')
    .option('--json', 'print JSON; requires --yes or --dry-run')
    .addHelpText('after', DOWN_HELP)
    .action(async ({ yes, dryRun, json }: { yes?: boolean; dryRun?: boolean; json?: boolean }, self: Command) => {
      const canAsk = process.stdin.isTTY && !json
      if (!yes && !dryRun && !canAsk)
        self.error('error: this deletes data. Add --yes to confirm, or --dry-run to see what would be deleted', {
          exitCode: 2,
        })
      await withDatabase(async (database) => {
        const preview = await previewDown(database)
        if (!preview) return print(json, { reverted: null, losses: [] }, 'Nothing to do\n')
        const { name, losses } = preview
        if (dryRun) return print(json, { reverted: null, would_revert: name, losses }, explainLosses(preview))
        if (!json) process.stderr.write(explainLosses(preview))
        if (!yes) await confirm('Roll back this migration?')
        const reverted = await migrateDown(database)
        print(json, { reverted, losses }, `Rolled back ${reverted}\n`)
      })
    })
  command
    .command('status')
    .description('list migrations and when each was applied')
    .option('--json', 'print JSON')
    .action(({ json }) =>
      withDatabase(async (database) => {
        const states = await migrationStatus(database)
        const line = ({ version, name, applied_at, is_known }: (typeof states)[number]) =>
          `${String(version).padStart(4, '0')}  ${name.padEnd(32)} ${applied_at ?? 'pending'}${is_known ? '' : '  (from a newer version, compatible)'}\n`
        print(json, { migrations: states }, states.map(line).join(''))
      }),
    )
  return command
}

function explainLosses({ version, name, losses }: RollbackPreview): string {
  const lines = losses.map(({ table, column, rows }) =>
    column ? `  column ${table}.${column}, rows with a value: ${rows}\n` : `  table ${table}, rows: ${rows}\n`,
  )
  const summary = lines.length
    ? `Rolling it back permanently deletes:\n${lines.join('')}`
    : 'Rolling it back deletes no table and no column.\n'
  return `The latest migration is ${version} (${name}). ${summary}`
}
