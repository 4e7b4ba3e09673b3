import { setTimeout as pause } from 'node:timers/promises'
import { DRAIN_DELAY_MS, FATAL_DRAIN_MS, LOG_FLUSH_MS, SHUTDOWN_DEADLINE_MS } from '../kernel/config/deadlines.ts'
import type { App } from '../kernel/http/types.ts'
import type { Log } from '../kernel/log/log.ts'
import type { Services } from '../services.ts'

interface Running {
  app: App
  services: Services
  log: Log
}

/** SIGHUP is sent when the terminal closes. SIGINT (Ctrl-C) skips the drain delay: no load balancer is involved. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * Shuts down on SIGTERM, SIGHUP or SIGINT: readiness fails and responses close their connections, then the listener
 * closes, requests in flight finish, and the database closes. Resolves when this is complete.
 * @see docs/decisions/0023-own-shutdown.md
 */
export function shutDownOnSignal({ app, services, log }: Running): Promise<void> {
  return onSignal(log, async (withDrainDelay) => {
    services.lifecycle.draining = true
    if (withDrainDelay) await pause(DRAIN_DELAY_MS)
    await app.close()
  })
}

/**
 * Runs `close` on a signal and resolves when it is complete. A second signal or the deadline ends the process with 1.
 * After an uncaught error, `close` runs without the drain delay and the process exits with 1.
 * @param close `withDrainDelay` says whether to give load balancers time to notice
 */
export function onSignal(log: Log, close: (withDrainDelay: boolean) => Promise<void>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let isShuttingDown = false
  const handle = async (signal: NodeJS.Signals) => {
    if (isShuttingDown) process.exit(1)
    isShuttingDown = true
    log.info({ signal }, 'shutting down')
    const deadline = setTimeout(() => {
      log.error('shutdown deadline reached: requests were still running')
      exit(log)
    }, SHUTDOWN_DEADLINE_MS).unref()
    await close(signal !== 'SIGINT')
    clearTimeout(deadline)
    log.info('shutdown complete')
    afterFlush(log, resolve)
  }
  for (const signal of SIGNALS) process.on(signal, () => handle(signal).catch(reject))
  exitOnUncaughtError(log, () => close(false))
  return promise
}

/**
 * Shuts down a worker when its supervisor sends `drain` (readiness fails) and `close`. Resolves when this is complete.
 * Ignores signals, which terminals and systemd send to every process of the service: the supervisor handles them.
 */
export function shutDownOnOrder({ app, services, log }: Running): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const close = async () => {
    services.lifecycle.draining = true
    await app.close()
  }
  process.on('message', (message) => {
    if (message === 'drain') services.lifecycle.draining = true
    if (message === 'close') close().then(() => afterFlush(log, resolve), reject)
  })
  for (const signal of SIGNALS) process.on(signal, () => {})
  exitOnUncaughtError(log, close)
  return promise
}

/**
 * After an uncaught error, logs it, closes with a short deadline and exits with 1, for a supervisor to restart the
 * process: the state of the program is unknown (ASVS 16.5.4).
 */
function exitOnUncaughtError(log: Log, close: () => Promise<void>): void {
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

/** Ends the process with 1 after the log is written. */
const exit = (log: Log): void => afterFlush(log, () => process.exit(1))

/** Calls `then` after the log is written. Kills the process if that takes too long, because nobody reads the pipe. */
function afterFlush(log: Log, then: () => void): void {
  const killTimer = setTimeout(() => process.kill(process.pid, 'SIGKILL'), LOG_FLUSH_MS)
  log.flush(() => {
    clearTimeout(killTimer)
    then()
  })
}
