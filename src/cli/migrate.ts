import { Command } from 'commander'
import type { Config } from '../kernel/config.ts'
import { type Database, openDatabase } from '../kernel/db/database.ts'
import { migrateDown, migrateUp, migrationStatus } from '../kernel/db/migrator.ts'

/** `migrate up`, `down`, `status`. */
export function migrateCommand(config: () => Config): Command {
  const command = new Command('migrate').description('update the database schema, or roll it back')
  const withDatabase = async (work: (database: Database) => Promise<void>) => {
    const database = await openDatabase(config(), { patient: true })
    await work(database).finally(() => database.close())
  }
  const print = (json: boolean | undefined, value: unknown, text: string) =>
    process.stdout.write(json ? `${JSON.stringify(value)}\n` : text)

  command
    .command('up')
    .description('apply pending migrations; safe beside running instances')
    .option('--json', 'as JSON')
    .action(({ json }) =>
      withDatabase(async (database) => {
        const applied = await migrateUp(database)
        print(
          json,
          { applied },
          applied.length ? applied.map((name) => `applied ${name}\n`).join('') : 'nothing to do\n',
        )
      }),
    )
  command
    .command('down')
    .description('roll back the latest migration (deletes its data)')
    .option('--json', 'as JSON')
    .action(({ json }) =>
      withDatabase(async (database) => {
        const reverted = await migrateDown(database)
        print(json, { reverted }, reverted ? `rolled back ${reverted}\n` : 'nothing to do\n')
      }),
    )
  command
    .command('status')
    .description('list migrations and when each was applied')
    .option('--json', 'as JSON')
    .action(({ json }) =>
      withDatabase(async (database) => {
        const states = await migrationStatus(database)
        const line = ({ version, name, applied_at }: (typeof states)[number]) =>
          `${String(version).padStart(4, '0')}  ${name.padEnd(32)} ${applied_at ?? 'pending'}\n`
        print(json, { migrations: states }, states.map(line).join(''))
      }),
    )
  return command
}
