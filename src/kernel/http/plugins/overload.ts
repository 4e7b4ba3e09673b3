import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { guarded } from '../../lib/guarded.ts'

/** Processor time of one event loop iteration, in ms, after which it refuses further requests. */
const MAX_WORK_MS = 40
/** How long it then refuses requests, in ms; enough for hundreds. */
const REFUSAL_MS = 10
/** Requests of an iteration that are always served: a process that has just started is slow, not overloaded. */
const MIN_SERVED = 250
const TICK_MS = 10
const REPORT_INTERVAL_MS = 1000

/** Shared, because creating a stack trace costs more than the refusal. */
const REFUSAL = new AppError(kernelErrors.overloaded, {
  retryAfter: 1,
  detail: 'The service receives more requests than it can process.',
})

/**
 * Refuses excess requests with 503 `overloaded` when an event loop iteration uses too much processor time. Health
 * checks are always answered. Logs the number of refused requests once per second.
 * @see docs/decisions/0026-own-overload-control.md
 */
export const overload = fp(
  async (app) => {
    let startedAt = 0
    let cpuMsBefore = 0
    let served = 0
    let refused = 0

    function startIteration(): void {
      startedAt = performance.now()
      cpuMsBefore = threadCpuMs()
      served = 0
    }

    function isOverloaded(): boolean {
      if (served++ < MIN_SERVED || performance.now() - startedAt < MAX_WORK_MS) return false
      const work = threadCpuMs() - cpuMsBefore
      // While sockets stay ready, the iteration does not end: start the next one here.
      if (work > MAX_WORK_MS + REFUSAL_MS) startIteration()
      return work > MAX_WORK_MS && work <= MAX_WORK_MS + REFUSAL_MS
    }

    startIteration()
    const ticker = setInterval(guarded(app.log, 'overload', startIteration), TICK_MS).unref()
    const logRefused = () => {
      if (refused) app.log.warn({ refused }, 'overloaded: requests refused')
      refused = 0
    }
    const report = setInterval(guarded(app.log, 'overload', logRefused), REPORT_INTERVAL_MS).unref()

    app.addHook('onRequest', (request, _reply, done) => {
      if (!isOverloaded() || request.url.startsWith('/health')) return done()
      refused++
      request.isLogged = true // Counted in the log line of refused requests.
      done(REFUSAL)
    })
    app.addHook('onClose', async () => {
      clearInterval(ticker)
      clearInterval(report)
    })
  },
  { name: 'overload', fastify: '5.x', dependencies: ['strict-http', 'request-log'] },
)

/** Returns the processor time of this thread, in ms. */
function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
