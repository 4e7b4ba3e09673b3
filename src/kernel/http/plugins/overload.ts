import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppError } from '../../errors/app-error.ts'
import { kernelErrors } from '../../errors/kernel-errors.ts'
import { createFairQueue } from '../../lib/fair-queue.ts'
import { guarded } from '../../lib/guarded.ts'

/** Processor time of the requests that may wait, in ms, and their minimum number: a process that has just started is slow. */
const MAX_WAIT_MS = 150
const MIN_WAITING = 1000
/**
 * Processor time after which a refused request is told, in ms: clients that ask again at once would otherwise be refused
 * so often that nobody else is served.
 */
const REFUSAL_DELAY_MS = 30
/**
 * Maximum number of refused requests that are held; further ones are told at once. Clients that pipeline requests could
 * otherwise fill the memory: Node.js stops reading from them only when responses wait.
 */
const MAX_HELD = 5000
/** Processor time for the requests that one turn of the event loop begins, in ms, and their minimum number. */
const TURN_MS = 1
const MIN_PER_TURN = 16
/** What a refusal costs, as a share of a request. */
const REFUSAL_COST = 0.5
/** The weight of the last turn in the average cost of a request. */
const LAST_TURN = 0.1
const REPORT_INTERVAL_MS = 1000

/** Shared, because creating a stack trace costs more than the refusal. */
const REFUSAL = new AppError(kernelErrors.overloaded, {
  retryAfter: 1,
  detail: 'The service receives more requests than it can process.',
})

interface Arrival {
  request: FastifyRequest
  /** Continues the request, or refuses it. */
  proceed: (refusal?: Error) => void
  /** Processor time when it was refused. */
  refusedAt: number
}

/**
 * Begins as many requests in each turn of the event loop as it has processor time for, so that new connections are
 * accepted and answered meanwhile. The others wait. If more arrive than can be served in time, the networks with the most
 * requests are refused with 503 `overloaded`; health checks never are. Logs the number of refused requests once per second.
 * @see docs/decisions/0026-own-overload-control.md
 */
export const overload = fp(
  async (app) => {
    /** The average cost of a request in ms, and what the last turn has begun. */
    let costMs = 0
    let last = { cpuMs: threadCpuMs(), work: 0 }
    const numberIn = (ms: number, min: number) => (costMs > 0 ? Math.max(min, Math.floor(ms / costMs)) : min)
    const waiting = createFairQueue<Arrival>(
      () => numberIn(MAX_WAIT_MS, MIN_WAITING),
      (arrival) => {
        if (refusals.length >= MAX_HELD) refuse(arrival)
        else refusals.push(Object.assign(arrival, { refusedAt: last.cpuMs }))
      },
    )
    let refusals: Arrival[] = []
    let isScheduled = false
    let refused = 0

    function beginTurn(): void {
      isScheduled = false
      measure()
      begin(numberIn(TURN_MS, MIN_PER_TURN))
      if (waiting.size + refusals.length > 0) schedule()
    }

    const measure = guarded(app.log, 'overload', () => {
      const cpuMs = threadCpuMs()
      if (last.work >= MIN_PER_TURN) costMs += LAST_TURN * ((cpuMs - last.cpuMs) / last.work - costMs)
      last = { cpuMs, work: 0 }
    })

    /** Begins requests, and refuses others, up to a quota of work. */
    function begin(quota: number): void {
      const due = refusals.findIndex(({ refusedAt }) => last.cpuMs - refusedAt < REFUSAL_DELAY_MS)
      const told = Math.min(due < 0 ? refusals.length : due, quota)
      for (const arrival of refusals.slice(0, told)) refuse(arrival)
      refusals = refusals.slice(told)
      last.work = told * REFUSAL_COST
      for (; last.work < quota && waiting.size > 0; last.work++) serve(waiting.shift() as Arrival)
    }

    // An exception of one request ends neither the process nor the turn of the others.
    const serve = guarded(app.log, 'overload', ({ proceed }: Arrival) => proceed())
    const refuse = guarded(app.log, 'overload', ({ request, proceed }: Arrival) => {
      refused++
      request.isLogged = true // Counted in the log line of refused requests.
      proceed(REFUSAL)
    })

    function schedule(): void {
      if (isScheduled) return
      isScheduled = true
      setImmediate(beginTurn)
    }

    const report = () => {
      if (refused) app.log.warn({ refused }, 'overloaded: requests refused')
      refused = 0
    }
    const timer = setInterval(guarded(app.log, 'overload', report), REPORT_INTERVAL_MS).unref()

    app.addHook('onRequest', (request, _reply, proceed) => {
      if (request.url.startsWith('/health')) return proceed()
      waiting.push({ request, proceed, refusedAt: 0 }, { key: request.client.network ?? '' })
      schedule()
    })
    app.addHook('onClose', async () => clearInterval(timer))
  },
  { name: 'overload', fastify: '5.x', dependencies: ['client', 'strict-http', 'request-log'] },
)

/** Returns the processor time of this thread, in ms. */
function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
