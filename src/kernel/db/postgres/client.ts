import pg from 'pg'
import { namedStatements } from '../prepared-query.ts'
import type { Target } from './target.ts'

/** A connection of the pool. */
export type Connection = pg.PoolClient & {
  readonly url: string
  /** Whether its server is the primary. Queries the server if that is not known. */
  isPrimary(): boolean | Promise<boolean>
}

/** Returns a client class that connects to the current target. */
export function clientOf(target: Target, pooled: boolean): typeof pg.Client {
  return class extends pg.Client {
    readonly url: string
    /** Parameters that the server reports when a connection starts and when they change. */
    #reported: Record<string, string> = {}
    #isConfirmed = false

    constructor(options: pg.ClientConfig) {
      super({ ...options, connectionString: target.url })
      this.url = target.url
      const { connection } = this as unknown as { connection: NodeJS.EventEmitter }
      connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
        if (parameterName !== 'in_hot_standby' && parameterName !== 'default_transaction_read_only') return
        this.#reported[parameterName] = parameterValue
        this.#isConfirmed = false
      })
    }

    isPrimary(): boolean | Promise<boolean> {
      if (this.#isConfirmed) return true
      const { in_hot_standby, default_transaction_read_only } = this.#reported
      // Behind a pooler, the reported values may be outdated or from another server.
      const isWritable = !target.hasChoice || default_transaction_read_only === 'off'
      if (!pooled && in_hot_standby === 'off' && isWritable) return true
      return target.requirePrimary(this).then(
        () => {
          this.#isConfirmed = true
          return true
        },
        () => false,
      )
    }

    /** Sends prepared queries as named statements, which PostgreSQL parses once per connection. */
    // biome-ignore lint/suspicious/noExplicitAny: the overloads of pg's `query` are passed through
    override query(config: any, values?: any, callback?: any): any {
      const name =
        !pooled && typeof config === 'string' && Array.isArray(values) ? namedStatements.get(config) : undefined
      const result = name
        ? super.query({ name, text: config, values }, callback)
        : super.query(config, values, callback)
      if (result instanceof Promise)
        result.catch((error) => {
          if (error.code === READ_ONLY) target.markUncertain()
          if (isUnusable(error)) this.end().catch(() => {}) // The pool drops ended connections.
        })
      return result
    }
  }
}

/** read_only_sql_transaction: the server does not accept writes. */
const READ_ONLY = '25006'

/** Whether a connection must not be reused: its server is read-only, or still runs a query that timed out here. */
const isUnusable = ({ code, message }: { code?: string; message: string }): boolean =>
  code === READ_ONLY || message === 'Query read timeout'

/** Parses `timestamptz` to RFC 3339 text, as stored in SQLite, and `int8` to numbers. */
export function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.TIMESTAMPTZ) return parseTime
  if (oid === pg.types.builtins.INT8) return Number
  return pg.types.getTypeParser(oid, format as 'text')
}

const ZONED = /^(\S+) ([\d:.]+)([+-]\d\d)(?::(\d\d))?$/

/** Converts `2026-11-22 12:00:00.5+00` to `2026-11-22T12:00:00.500Z`, whatever the time zone of the server. */
function parseTime(text: string): string {
  if (!text.endsWith('+00')) {
    const [, date, clock, hours, minutes = '00'] = ZONED.exec(text) ?? []
    return new Date(`${date}T${clock}${hours}:${minutes}`).toISOString()
  }
  const clock = text.slice(11, -3)
  return `${text.slice(0, 10)}T${(clock.includes('.') ? clock : `${clock}.`).padEnd(12, '0')}Z`
}
