import { type Clock, SECOND } from '../lib/clock.ts'
import { isUnavailable } from './errors.ts'

/** A write that may be repeated, and the time in milliseconds after which it no longer matters. */
export interface Retry {
  write(): Promise<unknown>
  until: number
}

const RETRY_DELAY_MS = SECOND
const MAX_WAITING = 1000

/**
 * For writes that a request owes after its work, and that must hold up no answer while the database is away: they are
 * done once it is back, tried one by one so that a database that has just come back is not met by a crowd. What is
 * beyond a thousand, or waits when the process ends, is lost: only for what mends itself in time.
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
    setTimeout(tryAll, RETRY_DELAY_MS).unref()
  }

  async function tryAll(): Promise<void> {
    for (const retry of waiting) {
      const error = clock.now() < retry.until ? await faultOf(retry) : null
      if (error && isUnavailable(error)) break
      waiting.delete(retry)
    }
    isScheduled = false
    if (waiting.size > 0) schedule()
  }

  return {
    enqueue,
    /** Writes at once, or later where the database is away. Rejects with any other error. */
    run: (retry: Retry): Promise<unknown> =>
      retry.write().catch((error) => {
        if (!isUnavailable(error)) throw error
        enqueue(retry)
      }),
  }
}

async function faultOf({ write }: Retry): Promise<unknown> {
  try {
    await write()
    return null
  } catch (error) {
    return error
  }
}
