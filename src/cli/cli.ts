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

/** Runs one command line. Returns the exit status. */
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
    program.addCommand(throwInsteadOfExit(command))
  const isServing = args[0] === 'serve'
  // EPIPE is not a failure: `head` closes the pipe early. The service keeps running when its log cannot be written.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (!isServing) process.exit(code === 'EPIPE' ? DONE : FAILED)
  })
  process.stderr.on('error', () => {})
  try {
    await program.parseAsync(args, { from: 'user' })
    return DONE
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? DONE : WRONG_USAGE
    const message = explain(error)
    if (isServing) await logFailedStart(error, message)
    process.stderr.write(`bukhindor: ${message}\n`)
    return isWrongUsage(error) ? WRONG_USAGE : FAILED
  }
}

/** Writes the reason of a failed start to a JSON log as well. */
async function logFailedStart(error: unknown, message: string): Promise<void> {
  const { LOG_FORMAT: format, LOG_LEVEL: level } = isReadable(readEnvironment) ? readEnvironment() : {}
  if (level === 'silent' || !isJsonLog(format === 'json' || format === 'pretty' ? format : null)) return
  const log = await createLog({ logLevel: 'fatal', logFormat: 'json' })
  log.fatal({ ...(!isExplained(error) && { err: error }) }, message.split('\n    at ')[0])
  await new Promise<void>((resolve) => log.flush(() => resolve()))
}

/** Whether `read` succeeds: the error being reported may be that `.env` cannot be read. */
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

/** Makes a command and its subcommands throw instead of ending the process. */
function throwInsteadOfExit(command: Command): Command {
  command.exitOverride().showHelpAfterError('Add --help for usage.')
  for (const child of command.commands) throwInsteadOfExit(child)
  return command
}

const isWrongUsage = (error: unknown): boolean =>
  error instanceof ConfigError || (error instanceof AppError && error.definition === kernelErrors.validation_failed)

/** Returns the message of an error written for operators; otherwise the message of a system error, or the stack. */
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
