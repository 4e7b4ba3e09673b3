import { setTimeout as pause } from 'node:timers/promises'
import { DRAIN_DELAY_MS, FATAL_DRAIN_MS, LAST_LINES_MS, SHUTDOWN_DEADLINE_MS } from '../kernel/config/deadlines.ts'
import type { App } from '../kernel/http/types.ts'
import type { Log } from '../kernel/log/log.ts'
import type { Services } from '../services.ts'

interface Running {
  app: App
  services: Services
  log: Log
}

/** A terminal that is closed sends SIGHUP. At a terminal nobody balances load: Ctrl-C, SIGINT, gives no notice. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * On SIGTERM, SIGHUP or SIGINT: readiness turns, every answer closes its connection, then the listener closes, requests
 * in flight finish, and the database closes. Resolves when it is over.
 */
export function shutDownOnSignal({ app, services, log }: Running): Promise<void> {
  return onSignal(log, async (hasNotice) => {
    services.lifecycle.draining = true
    if (hasNotice) await pause(DRAIN_DELAY_MS)
    await app.close()
  })
}

/**
 * Runs `leave` on a signal, or after an error that nobody caught, which then ends the process with 1. A second signal, or
 * the deadline, ends it at once. Resolves when it is over.
 * @param leave is told whether load balancers are to be given time to notice
 */
export function onSignal(log: Log, leave: (hasNotice: boolean) => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let leaving = false
  const react = async (signal: NodeJS.Signals) => {
    if (leaving) process.exit(1)
    leaving = true
    log.info({ signal }, 'shutting down')
    const deadline = setTimeout(() => {
      log.error('shutdown deadline reached: requests were still running')
      exit(log)
    }, SHUTDOWN_DEADLINE_MS).unref()
    await leave(signal !== 'SIGINT')
    clearTimeout(deadline)
    log.info('shutdown complete')
    lastLines(log, resolve)
  }
  for (const signal of SIGNALS) process.on(signal, () => react(signal).catch(reject))
  restartOnFatal(log, () => leave(false))
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
  }
  process.on('message', (order) => {
    if (order === 'drain') services.lifecycle.draining = true
    if (order === 'close') close().then(() => lastLines(log, resolve), reject)
  })
  for (const signal of SIGNALS) process.on(signal, () => {})
  restartOnFatal(log, close)
  return promise
}

/**
 * The state of the program is unknown after an error that nobody caught (ASVS 16.5.4): it is logged, nothing new is
 * accepted, requests in flight get a few seconds, and the supervisor starts anew.
 */
function restartOnFatal(log: Log, close: () => Promise<void>): void {
  let isEnding = false
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (err: unknown) => {
      log.fatal({ err }, event)
      if (isEnding) return
      isEnding = true
      setTimeout(exit, FATAL_DRAIN_MS, log)
      close().then(
        () => exit(log),
        (err) => {
          log.fatal({ err }, 'graceful shutdown failed')
          exit(log)
        },
      )
    })
}

/** Ends the process with 1, once the log is written. */
const exit = (log: Log): void => lastLines(log, () => process.exit(1))

/** Goes on once the log is written. Where nobody reads it, an orderly end would wait for ever for the last write. */
function lastLines(log: Log, then: () => void): void {
  const stuck = setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_LINES_MS)
  log.flush(() => {
    clearTimeout(stuck)
    then()
  })
}
