import { Command, CommanderError } from 'commander'
import { ConfigError } from '../kernel/config/config-error.ts'
import { DatabaseError } from '../kernel/db/errors.ts'
import { AppError } from '../kernel/errors/app-error.ts'
import { kernelErrors } from '../kernel/errors/kernel-errors.ts'
import { fieldMessage } from '../kernel/i18n/messages.ts'
import { createLog, isJsonLog } from '../kernel/log/log.ts'
import { VERSION } from '../services.ts'
import { loadConfig, readEnvironment } from '../settings/config.ts'
import { backupCommand, databaseCommand, restoreCommand } from './backup.ts'
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
    .description('Accounts, sessions and users for your app.')
    .version(VERSION, '-V, --version')
    .showHelpAfterError('Add --help for usage.')
    .exitOverride()
  const config = () => loadConfig(readEnvironment())
  for (const command of [
    serveCommand(config),
    migrateCommand(config),
    userCommand(config),
    openapiCommand(),
    backupCommand(config),
    restoreCommand(config),
    databaseCommand(config),
    configCommand(config),
  ])
    program.addCommand(inheriting(command))
  const isServing = args[0] === 'serve'
  // A reader that has seen enough, such as `head`, is no fault; and a service goes on when nobody reads its log.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (!isServing) process.exit(code === 'EPIPE' ? DONE : FAILED)
  })
  process.stderr.on('error', () => {})
  try {
    await program.parseAsync(args, { from: 'user' })
    return DONE
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE
    const sentence = explain(error)
    if (isServing) await logFailedStart(error, sentence)
    process.stderr.write(`bukhindor: ${sentence}\n`)
    return isWrongUsage(error) ? WRONG_USAGE : FAILED
  }
}

/** Where the log is for programs, they find there why the service does not start. */
async function logFailedStart(error: unknown, sentence: string): Promise<void> {
  const { LOG_FORMAT: format, LOG_LEVEL: level } = isReadable(readEnvironment) ? readEnvironment() : {}
  if (level === 'silent' || !isJsonLog(format === 'json' || format === 'pretty' ? format : null)) return
  const log = await createLog({ logLevel: 'fatal', logFormat: 'json' })
  log.fatal({ ...(!isExplained(error) && { err: error }) }, sentence.split('\n    at ')[0])
  await new Promise<void>((resolve) => log.flush(() => resolve()))
}

/** `.env` may be what is wrong. */
function isReadable(read: () => unknown): boolean {
  try {
    read()
    return true
  } catch {
    return false
  }
}

const isExplained = (error: unknown): boolean =>
  error instanceof ConfigError || error instanceof DatabaseError || error instanceof AppError

/** Lets a command and those below it throw instead of ending the process. */
function inheriting(command: Command): Command {
  command.exitOverride().showHelpAfterError('Add --help for usage.')
  for (const child of command.commands) inheriting(child)
  return command
}

const isWrongUsage = (error: unknown): boolean =>
  error instanceof ConfigError || (error instanceof AppError && error.definition === kernelErrors.validation_failed)

/** What an operator is told: the message where it was written for them, otherwise all that is known. */
function explain(error: unknown): string {
  if (error instanceof ConfigError) return `invalid configuration: ${error.message}`
  if (error instanceof DatabaseError) return error.message
  if (error instanceof AppError) return explainAppError(error)
  const { code, message, stack } = error as NodeJS.ErrnoException
  return code ? message : (stack ?? String(error))
}

function explainAppError({ definition, options }: AppError): string {
  const { detail, fields, cause } = options
  if (fields)
    return fields.map((fault) => `${fault.path.replace('/', '')}: ${fieldMessage(fault, 'en')}`).join('\n           ')
  return `${detail ?? definition.text.en}${cause instanceof Error ? `: ${cause.message}` : ''}`
}
