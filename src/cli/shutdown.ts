import { setTimeout as pause } from 'node:timers/promises'
import type { Services } from '../app.ts'
import { FAREWELL, FAREWELL_NOTICE } from '../kernel/deadlines.ts'
import type { App } from '../kernel/http/server.ts'
import type { Log } from '../kernel/log.ts'

interface Running {
  app: App
  services: Services
  log: Log
}

/**
 * On SIGTERM or SIGINT: readiness turns, every answer closes its connection, then the listener closes, requests in
 * flight finish, and the database closes. A second signal, or the deadline, ends it at once. Resolves when it is over.
 */
export function shutDownOnSignal(running: Running): Promise<void> {
  const { log } = running
  return onSignal(log, async (signal) => {
    running.services.lifecycle.draining = true
    if (signal === 'SIGTERM') await pause(FAREWELL_NOTICE) // At a terminal nobody balances load.
    await running.app.close()
  })
}

/**
 * Runs `leave` on SIGTERM or SIGINT. A second signal, or the deadline, ends the process at once; so does an error that
 * nobody caught. Resolves when it is over.
 */
export function onSignal(log: Log, leave: (signal: NodeJS.Signals) => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let leaving = false
  const react = async (signal: NodeJS.Signals) => {
    if (leaving) process.exit(1)
    leaving = true
    log.info({ signal }, 'shutting down')
    const deadline = setTimeout(() => {
      log.error('requests were still running at the deadline')
      flush(log, () => process.exit(1))
    }, FAREWELL).unref()
    await leave(signal)
    clearTimeout(deadline)
    log.info('bye')
    flush(log, resolve)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => react(signal).catch(reject))
  endOnFatal(log)
  return promise
}

/**
 * In a process that another one supervises: `drain` turns readiness, `close` finishes what runs. Signals are for the
 * supervisor: a terminal, and systemd, send them to every process of the service. Resolves when it is over.
 */
export function shutDownOnOrder({ app, services, log }: Running): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const close = async () => {
    services.lifecycle.draining = true
    await app.close()
    flush(log, resolve)
  }
  process.on('message', (order) => {
    if (order === 'drain') services.lifecycle.draining = true
    if (order === 'close') close().catch(reject)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {})
  endOnFatal(log)
  return promise
}

/** The state of the program is unknown after either of these (ASVS 16.5.4): say so, and let the supervisor start anew. */
function endOnFatal(log: Log): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (err: unknown) => {
      log.fatal({ err }, event)
      flush(log, () => process.exit(1))
    })
}

const flush = (log: Log, done: () => void): void => log.flush(() => done())
