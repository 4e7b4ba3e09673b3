import type { Log } from '../log/log.ts'

/**
 * `work` for a timer or an event: whatever it throws, or rejects with, is logged instead of ending the process, which
 * serves others too.
 */
export function guarded<A extends unknown[]>(
  log: Pick<Log, 'error'>,
  task: string,
  work: (...args: A) => unknown,
): (...args: A) => void {
  const logFault = (err: unknown) => {
    try {
      log.error({ err, task }, 'background task failed')
    } catch {} // A log that fails must not end the process either.
  }
  return (...args) => {
    try {
      const result = work(...args)
      if (result instanceof Promise) result.catch(logFault)
    } catch (error) {
      logFault(error)
    }
  }
}
