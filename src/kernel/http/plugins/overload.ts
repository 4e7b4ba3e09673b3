import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { guarded } from '../../lib/guarded.ts'

/** One turn of the event loop may work so long, in ms, before what else has arrived in it is refused. */
const MAX_WORK_MS = 40
/** So long it then refuses, in ms, which is enough for hundreds. */
const REFUSAL_MS = 10
/** So many requests of a turn are served however long it takes: a process that has just started is slow, not flooded. */
const MIN_SERVED_PER_TURN = 250
const TICK_MS = 10
const REPORT_INTERVAL_MS = 1000

/** One for all: a stack trace of each would cost more than the refusal. */
const REFUSAL = new AppError(kernelErrors.overloaded, {
  retryAfter: 1,
  detail: 'The service receives more requests than it can process.',
})

/**
 * Refuses what cannot be served in time, before any work is done for it: 503 `overloaded`. Requests wait in the sockets
 * for the event loop's next turn, so the work of a turn is how long they wait; a clock that is set once a turn measures
 * it at the cost of one comparison. What counts is the time of this thread on a core: a turn that waits for the disk, or
 * for a core that others use, would not be shorter if its requests were refused. Health checks are always answered. One
 * log line per second tells how many were refused, instead of one for each.
 */
export const overload = fp(
  async (app) => {
    let began = 0
    let workedBefore = 0
    let served = 0
    let refused = 0

    function begin(): void {
      began = performance.now()
      workedBefore = worked()
      served = 0
    }

    function isTooMuch(): boolean {
      if (served++ < MIN_SERVED_PER_TURN || performance.now() - began < MAX_WORK_MS) return false
      const work = worked() - workedBefore
      // While sockets are ready without end, so is the turn: the next one begins here.
      if (work > MAX_WORK_MS + REFUSAL_MS) begin()
      return work > MAX_WORK_MS && work <= MAX_WORK_MS + REFUSAL_MS
    }

    begin()
    const turn = setInterval(guarded(app.log, 'overload', begin), TICK_MS).unref()
    const logShed = () => {
      if (refused) app.log.warn({ refused }, 'overloaded: requests refused')
      refused = 0
    }
    const report = setInterval(guarded(app.log, 'overload', logShed), REPORT_INTERVAL_MS).unref()

    app.addHook('onRequest', (request, _reply, done) => {
      if (!isTooMuch() || request.url.startsWith('/health')) return done()
      refused++
      request.isLogged = true // With the others, by its number.
      done(REFUSAL)
    })
    app.addHook('onClose', async () => {
      clearInterval(turn)
      clearInterval(report)
    })
  },
  { name: 'overload', fastify: '5.x', dependencies: ['strict-http', 'request-log'] },
)

/** How long this thread has had a core, in ms. */
function worked(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
