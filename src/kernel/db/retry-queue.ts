import { type Clock, SECOND } from '../lib/clock.ts'
import { isUnavailable } from './errors.ts'

/** An idempotent write, and the time in milliseconds after which it is dropped. */
export interface Retry {
  write(): Promise<unknown>
  until: number
}

const RETRY_DELAY_MS = SECOND
const MAX_WAITING = 1000

/**
 * Creates a queue for writes that are retried, one at a time, while the database is unavailable. Writes beyond
 * MAX_WAITING, and those that wait when the process ends, are lost: use it only for state that expires anyway.
 */
export function createRetryQueue(clock: Clock) {
  const waiting = new Set<Retry>()
  let isScheduled = false

  function enqueue(retry: Retry): void {
    if (waiting.size >= MAX_WAITING) return
    waiting.add(retry)
    if (!isScheduled) schedule()
  }

  function schedule(): void {
    isScheduled = true
    setTimeout(retryAll, RETRY_DELAY_MS).unref()
  }

  async function retryAll(): Promise<void> {
    for (const retry of waiting) {
      const error = clock.now() < retry.until ? await errorOf(retry) : null
      if (error && isUnavailable(error)) break
      waiting.delete(retry)
    }
    isScheduled = false
    if (waiting.size > 0) schedule()
  }

  return {
    enqueue,
    /** Writes now, or later if the database is unavailable. Rejects with other errors. */
    run: (retry: Retry): Promise<unknown> =>
      retry.write().catch((error) => {
        if (!isUnavailable(error)) throw error
        enqueue(retry)
      }),
  }
}

async function errorOf({ write }: Retry): Promise<unknown> {
  try {
    await write()
    return null
  } catch (error) {
    return error
  }
}
