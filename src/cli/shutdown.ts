import { setTimeout as pause } from 'node:timers/promises'
import type { Services } from '../app.ts'
import type { App } from '../kernel/http/server.ts'
import type { Log } from '../kernel/log.ts'

/** How long load balancers get to notice that readiness has turned, and how long the whole farewell may take, in ms. */
const NOTICE = 2000
const DEADLINE = 9500

/**
 * On SIGTERM or SIGINT: readiness turns, every answer closes its connection, then the listener closes, requests in
 * flight finish, and the database closes. A second signal, or the deadline, ends it at once. Resolves when it is over.
 */
export function shutDownOnSignal({ app, services, log }: { app: App; services: Services; log: Log }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let leaving = false
  const leave = async (signal: NodeJS.Signals) => {
    if (leaving) process.exit(1)
    leaving = true
    log.info({ signal }, 'shutting down')
    const deadline = setTimeout(() => {
      log.error('requests were still running at the deadline')
      flush(log, () => process.exit(1))
    }, DEADLINE).unref()
    services.lifecycle.draining = true
    if (signal === 'SIGTERM') await pause(NOTICE) // At a terminal nobody balances load.
    await app.close()
    clearTimeout(deadline)
    log.info('bye')
    flush(log, resolve)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => leave(signal).catch(reject))
  // The state of the program is unknown after either of these (ASVS 16.5.4): say so, and let the supervisor start anew.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (err: unknown) => {
      log.fatal({ err }, event)
      flush(log, () => process.exit(1))
    })
  return promise
}

const flush = (log: Log, done: () => void): void => log.flush(() => done())
