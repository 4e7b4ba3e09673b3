import pino, { type DestinationStream, type Logger, type LoggerOptions } from 'pino'
import { createLogDestination, type LogDestination } from './destination.ts'

export type Log = Logger

interface LogConfig {
  logLevel: string
  /** Null is `json`, and `pretty` on a terminal. */
  logFormat: 'json' | 'pretty' | null
}

/** Never written, should an object that holds one ever be logged. */
const SECRET = [
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
  ...SECRET,
  ...SECRET.map((name) => `*.${name}`),
  '*.authorization',
  '*.cookie',
  'authorization',
  'cookie',
]

let millisecond = 0
let member = ''

/** RFC 3339, made once in a millisecond: many lines share one. */
function time(): string {
  const now = Date.now()
  if (now !== millisecond) {
    millisecond = now
    member = `,"time":"${new Date(now).toISOString()}"`
  }
  return member
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
 * Takes the names of e-mail addresses out of a text, in time that grows with its length alone: one regular expression
 * for the whole address would look at each letter of a long word again and again.
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

/** The text up to its last delimiter, and `…` for the word after it, where there is one. */
function withoutLastWord(text: string): string {
  let end = text.length
  while (end > 0 && !DELIMITER.test(text[end - 1] as string)) end--
  return end === text.length ? text : `${text.slice(0, end)}…`
}

/**
 * What the log tells of an error: never its other members, since those of a database quote whole rows, and those of a
 * mail server its recipients (ASVS 16.2.5). E-mail addresses lose their names.
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
 * The log: JSON lines to standard output, times in UTC. Lines are gathered for at most 100 ms before they are written,
 * since a write per request would cost more than the request; `flush` is called before the process ends.
 */
export async function createLog(config: LogConfig, destination?: DestinationStream): Promise<Log> {
  return pino({ ...options(config.logLevel), redact: REDACTED }, destination ?? (await standardOutput(config)))
}

/**
 * The same log for lines of which every field is chosen by us, as that of a request: looking for secrets in them would
 * cost more than writing them does.
 */
export const plainLog = (log: Log): Log =>
  pino({ ...options(log.level), base: { pid: process.pid, ...log.bindings() } }, streamOf(log))

const streamOf = (log: Log) => (log as unknown as Record<symbol, DestinationStream>)[pino.symbols.streamSym]

/** Where a log of JSON lines writes to on standard output; null for any other. */
export function destinationOf(log: Log): LogDestination | null {
  const stream = streamOf(log)
  return stream && 'writeLines' in stream ? (stream as LogDestination) : null
}

/** Whether the log is for programs: as it was asked for, or else where no person looks on. */
export const isJsonLog = (format: LogConfig['logFormat']): boolean =>
  format === 'json' || (format === null && !process.stdout.isTTY)

async function standardOutput({ logFormat }: Pick<LogConfig, 'logFormat'>): Promise<DestinationStream> {
  if (isJsonLog(logFormat)) return createLogDestination(1)
  const { default: pretty } = await import('pino-pretty')
  return pretty({ colorize: process.stdout.isTTY, ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l', singleLine: true })
}
