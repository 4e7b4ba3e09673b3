import pino, { type DestinationStream, type Logger } from 'pino'
import type { Config } from './config.ts'

export type Log = Logger

/** Never written, should an object that holds one ever be logged. */
const SECRET = [
  'password',
  'new_password',
  'current_password',
  'password_hash',
  'token',
  'access_token',
  'refresh_token',
]
const REDACTED = [
  ...SECRET,
  ...SECRET.map((name) => `*.${name}`),
  '*.authorization',
  '*.cookie',
  'authorization',
  'cookie',
]

/**
 * The log: JSON lines to standard output, times in UTC. Lines are gathered for at most 100 ms before they are written,
 * since a write per request would cost more than the request; `flush` is called before the process ends.
 */
export async function createLog(
  config: Pick<Config, 'logLevel' | 'logFormat'>,
  destination?: DestinationStream,
): Promise<Log> {
  const format = config.logFormat ?? (process.stdout.isTTY ? 'pretty' : 'json')
  const options = {
    level: config.logLevel,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: REDACTED,
    serializers: { err: pino.stdSerializers.errWithCause },
  }
  if (destination) return pino(options, destination)
  if (format === 'pretty') {
    const { default: pretty } = await import('pino-pretty')
    return pino(
      options,
      pretty({ colorize: process.stdout.isTTY, ignore: 'pid', translateTime: 'SYS:HH:MM:ss.l', singleLine: true }),
    )
  }
  return pino(options, pino.destination({ fd: 1, sync: false, minLength: 8192, periodicFlush: 100 }))
}
