import type { FastifyBaseLogger, FastifyInstance } from 'fastify'

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
const LEVELS: Level[] = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

/**
 * `request.log`: a child logger with the id of the request. The child is created with its first line, because most
 * requests write none and creating it takes some microseconds.
 */
class RequestLogger {
  readonly #parent: FastifyBaseLogger
  readonly #bindings: object
  #child: FastifyBaseLogger | undefined

  constructor(parent: FastifyBaseLogger, bindings: object) {
    this.#parent = parent
    this.#bindings = bindings
  }

  get logger(): FastifyBaseLogger {
    this.#child ??= this.#parent.child(this.#bindings)
    return this.#child
  }
  get level() {
    return this.logger.level
  }
  set level(level) {
    this.logger.level = level
  }
  child(...given: Parameters<FastifyBaseLogger['child']>) {
    return this.logger.child(...given)
  }
}

for (const level of LEVELS)
  Object.defineProperty(RequestLogger.prototype, level, {
    value(this: RequestLogger, ...line: Parameters<FastifyBaseLogger['info']>) {
      this.logger[level](...line)
    },
  })

/** Fastify’s `childLoggerFactory`. */
export function childLoggerFactory(this: FastifyInstance, logger: FastifyBaseLogger, bindings: object) {
  return new RequestLogger(logger, bindings) as unknown as FastifyBaseLogger
}
