import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import { createLogDestination, type LogDestination } from './destination.ts'

export type Log = Logger

interface LogConfig {
  logLevel: string
  /** Null means `pretty` on a terminal and `json` otherwise. */
  logFormat: 'json' | 'pretty' | null
}

/** Members that are redacted if a logged object contains them. */
const SECRET_MEMBERS = [
  'password',
  'new_password',
  'current_password',
  'password_hash',
  'token',
  'access_token',
  'refresh_token',
  'device_token',
]
const REDACTED = [
  ...SECRET_MEMBERS,
  ...SECRET_MEMBERS.map((name) => `*.${name}`),
  '*.authorization',
  '*.cookie',
  'authorization',
  'cookie',
]

let millisecond = 0
let timeMember = ''

/** Returns the time in RFC 3339, formatted once per millisecond. */
function time(): string {
  const now = Date.now()
  if (now !== millisecond) {
    millisecond = now
    timeMember = `,"time":"${new Date(now).toISOString()}"`
  }
  return timeMember
}

const options = (level: string): LoggerOptions => ({
  level,
  base: { pid: process.pid },
  timestamp: time,
  formatters: { level: (label: string) => ({ level: label }) },
  serializers: { err: serializeError },
})

const DELIMITER = /[\s/\\"'<>(),;:=@]/

/**
 * Removes the local parts of e-mail addresses from a text, in linear time; one regular expression for whole addresses
 * would take quadratic time on long words.
 */
export function withoutAddresses(text = ''): string {
  const parts = text.split('@')
  return parts
    .map((part, n) => {
      const next = parts[n + 1]
      return next !== undefined && isDomain(next) ? withoutLastWord(part) : part
    })
    .join('@')
}

function isDomain(text: string): boolean {
  const end = text.search(DELIMITER)
  return (end === -1 ? text : text.slice(0, end)).lastIndexOf('.') > 0
}

/** Replaces the word after the last delimiter by `…`, if there is one. */
function withoutLastWord(text: string): string {
  let end = text.length
  while (end > 0 && !DELIMITER.test(text[end - 1] as string)) end--
  return end === text.length ? text : `${text.slice(0, end)}…`
}

/**
 * Serializes an error without its other members: those of database errors quote rows, those of SMTP errors recipients
 * (ASVS 16.2.5). Local parts of e-mail addresses are removed.
 */
function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error
  const { name, code, message, stack, cause } = error as NodeJS.ErrnoException
  return {
    type: name,
    ...(code !== undefined && { code }),
    message: withoutAddresses(message),
    stack: withoutAddresses(stack),
    ...(cause !== undefined && { cause: serializeError(cause) }),
  }
}

/**
 * Creates the log on standard output: JSON lines in UTC, or pretty lines. JSON lines are buffered for at most 100 ms;
 * call `flush` before the process exits.
 */
export async function createLog(config: LogConfig, destination?: DestinationStream): Promise<Log> {
  return pino({ ...options(config.logLevel), redact: REDACTED }, destination ?? (await standardOutput(config)))
}

/**
 * Returns a function that writes lines of one message and a fixed set of fields, as of requests, in a quarter of pino's
 * time: without redaction, and with one call of `JSON.stringify`.
 */
export function createLineWriter(log: Log, message: string) {
  const stream = streamOf(log) as DestinationStream
  const bindings = JSON.stringify({ pid: process.pid, ...log.bindings() }).slice(1, -1)
  const end = `,"msg":${JSON.stringify(message)}}\n`
  return (level: 'info' | 'error', { err, ...fields }: Record<string, unknown>): void => {
    if (!log.isLevelEnabled(level)) return
    const line = JSON.stringify(err === undefined ? fields : { ...fields, err: serializeError(err) })
    stream.write(`{"level":"${level}"${time()},${bindings},${line.slice(1, -1)}${end}`)
  }
}

const streamOf = (log: Log) => (log as unknown as Record<symbol, DestinationStream>)[pino.symbols.streamSym]

/** Returns the destination of a log that writes JSON lines to standard output; null for others. */
export function destinationOf(log: Log): LogDestination | null {
  const stream = streamOf(log) as DestinationStream
  return stream && 'writeLines' in stream ? (stream as LogDestination) : null
}

/** Whether the log is written as JSON lines: by the setting, otherwise unless standard output is a terminal. */
export const isJsonLog = (format: LogConfig['logFormat']): boolean =>
  format === 'json' || (format === null && !process.stdout.isTTY)

async function standardOutput({ logFormat }: Pick<LogConfig, 'logFormat'>): Promise<DestinationStream> {
  if (isJsonLog(logFormat)) return createLogDestination(1)
  const { default: pretty } = await import('pino-pretty')
  return pretty({ colorize: process.stdout.isTTY, ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l', singleLine: true })
}
