import { Command, CommanderError } from 'commander'
import { VERSION } from '../app.ts'
import { ConfigError, loadConfig, readEnvironment } from '../kernel/config.ts'
import { DatabaseError } from '../kernel/db/errors.ts'
import { AppError } from '../kernel/errors.ts'
import { fieldMessage } from '../kernel/i18n.messages.ts'
import { configCommand } from './config.ts'
import { migrateCommand } from './migrate.ts'
import { openapiCommand } from './openapi.ts'
import { serveCommand } from './serve.ts'
import { userCommand } from './user.ts'

/** Exit statuses. */
export const DONE = 0
export const FAILED = 1
export const WRONG_USAGE = 2

/** Runs one command line; returns the exit status. */
export async function run(args: string[]): Promise<number> {
  const program = new Command('bukhindor')
    .description('Accounts, sessions and users for an app.')
    .version(VERSION, '-V, --version')
    .showHelpAfterError('Add --help to see what is possible.')
    .exitOverride()
  const config = () => loadConfig(readEnvironment())
  for (const command of [
    serveCommand(config),
    migrateCommand(config),
    userCommand(config),
    openapiCommand(),
    configCommand(config),
  ])
    program.addCommand(inheriting(command))
  try {
    await program.parseAsync(args, { from: 'user' })
    return DONE
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE
    process.stderr.write(`bukhindor: ${explain(error)}\n`)
    return error instanceof ConfigError ? WRONG_USAGE : FAILED
  }
}

/** Lets a command and those below it throw instead of ending the process. */
function inheriting(command: Command): Command {
  command.exitOverride().showHelpAfterError('Add --help to see what is possible.')
  for (const child of command.commands) inheriting(child)
  return command
}

/** What an operator is told: the message where it was written for them, otherwise all that is known. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return `the configuration is wrong: ${error.message}`
  if (error instanceof DatabaseError) return error.message
  if (error instanceof AppError) {
    const fields = error.options.fields?.map(
      ({ path, reason, values }) => `${path}: ${fieldMessage(reason, 'en', values)}`,
    )
    const cause = error.options.cause instanceof Error ? `: ${error.options.cause.message}` : ''
    return fields?.join('; ') ?? `${error.message}${cause}`
  }
  const { code, message, stack } = error as NodeJS.ErrnoException
  return code ? message : (stack ?? String(error))
}
