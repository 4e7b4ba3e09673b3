import pg from 'pg'
import { namedStatements } from '../prepared-query.ts'
import type { Target } from './target.ts'

/** A connection of the pool. */
export type Connection = pg.PoolClient & {
  readonly url: string
  /** Whether its server is the primary, as far as that is known; asks it where it is not. */
  isPrimary(): boolean | Promise<boolean>
}

/** Connections to the target of the moment. */
export function clientOf(target: Target, pooled: boolean): typeof pg.Client {
  return class extends pg.Client {
    readonly url: string
    /** What the server has said of itself: it reports both as a connection begins, and when one changes. */
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
      // A pooler may repeat what another server has told it long ago.
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

    /** What a session begins with; poolers pass the time zone on as well. */
    getStartupConf() {
      const { getStartupConf } = pg.Client.prototype as unknown as { getStartupConf(): Record<string, string> }
      return { ...getStartupConf.call(this), TimeZone: 'UTC' }
    }

    /** Sends the queries that are declared hot as named statements: planned once per connection. */
    // biome-ignore lint/suspicious/noExplicitAny: the many overloads of pg's `query` are passed through as they are
    override query(config: any, values?: any, callback?: any): any {
      const name =
        !pooled && typeof config === 'string' && Array.isArray(values) ? namedStatements.get(config) : undefined
      const result = name
        ? super.query({ name, text: config, values }, callback)
        : super.query(config, values, callback)
      if (result instanceof Promise)
        result.catch((error) => {
          if (error.code === READ_ONLY) target.doubt()
          if (isSpoiled(error)) this.end().catch(() => {}) // The pool drops what has ended.
        })
      return result
    }
  }
}

/** read_only_sql_transaction: the server takes no writes, any more or yet. */
const READ_ONLY = '25006'

/** Whether the connection must not be used again: its server has become read-only, or still works on what we gave up. */
const isSpoiled = ({ code, message }: { code?: string; message: string }): boolean =>
  code === READ_ONLY || message === 'Query read timeout'

/** Times become the RFC 3339 text that SQLite keeps, counts become numbers. */
export function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === pg.types.builtins.TIMESTAMPTZ) return parseTime
  if (oid === pg.types.builtins.INT8) return Number
  return pg.types.getTypeParser(oid, format as 'text')
}

/** `2026-11-22 12:00:00.5+00` → `2026-11-22T12:00:00.500Z`. */
function parseTime(text: string): string {
  if (!text.endsWith('+00')) return new Date(text).toISOString()
  const clock = text.slice(11, -3)
  return `${text.slice(0, 10)}T${(clock.includes('.') ? clock : `${clock}.`).padEnd(12, '0')}Z`
}
