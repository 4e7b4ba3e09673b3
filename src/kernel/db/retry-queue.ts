import { type Clock, SECOND } from '../lib/clock.ts'
import { isUnavailable } from './errors.ts'

/** A write that may be repeated, and the time in milliseconds after which it no longer matters. */
export interface Settlement {
  write(): Promise<unknown>
  until: number
}

const RETRY_DELAY = SECOND
const MOST = 1000

/**
 * For writes that a request owes after its work, and that must hold up no answer while the database is away: they are
 * done once it is back, tried one by one so that a database that has just come back is not met by a crowd. What is
 * beyond a thousand, or waits when the process ends, is lost: only for what mends itself in time.
 */
export function createSettling(clock: Clock) {
  const waiting = new Set<Settlement>()
  let isScheduled = false

  function later(settlement: Settlement): void {
    if (waiting.size >= MOST) return
    waiting.add(settlement)
    if (!isScheduled) schedule()
  }

  function schedule(): void {
    isScheduled = true
    setTimeout(tryAll, RETRY_DELAY).unref()
  }

  async function tryAll(): Promise<void> {
    for (const settlement of waiting) {
      const error = clock.now() < settlement.until ? await faultOf(settlement) : null
      if (error && isUnavailable(error)) break
      waiting.delete(settlement)
    }
    isScheduled = false
    if (waiting.size > 0) schedule()
  }

  return {
    later,
    /** Writes at once, or later where the database is away. Rejects with any other error. */
    settle: (settlement: Settlement): Promise<unknown> =>
      settlement.write().catch((error) => {
        if (!isUnavailable(error)) throw error
        later(settlement)
      }),
  }
}

async function faultOf({ write }: Settlement): Promise<unknown> {
  try {
    await write()
    return null
  } catch (error) {
    return error
  }
}
