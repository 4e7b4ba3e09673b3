import { AppError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { App } from './server.ts'

/** One turn of the event loop may take so long, in ms, before what else has arrived in it is refused. */
const BUDGET = 25
/** So many requests of a turn are served however long it takes: what one slow thing has held up is no flood. */
const ALWAYS = 50
const TICK = 10
const REPORT_EVERY = 1000

/** One for all: a stack trace of each would cost more than the refusal. */
export const SHED = new AppError('overloaded', { retryAfter: 1, detail: 'More requests arrive than can be answered.' })

/**
 * Refuses what cannot be served in time, before any work is done for it: 503 `overloaded`. Requests wait in the sockets
 * for the event loop's next turn, so the length of a turn is how long they wait; a clock that is set once a turn
 * measures it at the cost of one comparison. Health checks are always answered. One log line per second tells how many
 * were refused, instead of one for each.
 */
export function addOverload(app: App, log: Log): void {
  let turnBegan = performance.now()
  let served = 0
  let refused = 0
  const turn = setInterval(() => {
    turnBegan = performance.now()
    served = 0
  }, TICK).unref()
  const report = setInterval(() => {
    if (refused) log.warn({ refused }, 'overloaded')
    refused = 0
  }, REPORT_EVERY).unref()

  app.addHook('onRequest', (request, _reply, done) => {
    if (served++ < ALWAYS || performance.now() - turnBegan < BUDGET || request.url.startsWith('/health')) return done()
    refused++
    done(SHED)
  })
  app.addHook('onClose', async () => {
    clearInterval(turn)
    clearInterval(report)
  })
}
