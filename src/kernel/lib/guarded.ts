import type { Log } from '../log/log.ts'

/** Wraps the callback of a timer or event: errors and rejections are logged instead of ending the process. */
export function guarded<A extends unknown[]>(
  log: Pick<Log, 'error'>,
  task: string,
  work: (...args: A) => unknown,
): (...args: A) => void {
  const logError = (err: unknown) => {
    try {
      log.error({ err, task }, 'background task failed')
    } catch {} // A log that fails must not end the process either.
  }
  return (...args) => {
    try {
      const result = work(...args)
      if (result instanceof Promise) result.catch(logError)
    } catch (error) {
      logError(error)
    }
  }
}
