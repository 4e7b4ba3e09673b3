import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'

/** How long to wait, in milliseconds: far longer than needed, as the machine may be busy. */
const PATIENCE = 30_000

interface Waiting {
  patience?: number
  /** Milliseconds between two checks; with 0, one turn of the event loop. */
  interval?: number
  /** Details for the error message, such as the output of a process. */
  details?: () => string
}

/**
 * Waits until `condition` returns something truthy, and returns that.
 * @throws after `patience` milliseconds, with the source of the condition
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { patience = PATIENCE, interval = 10, details = () => '' }: Waiting = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + patience
  for (;;) {
    const result = await condition()
    if (result) return result as Exclude<T, false | null | undefined>
    if (performance.now() > deadline)
      throw new Error(`still not true after ${patience / 1000} s: ${condition}\n${details()}`)
    await (interval ? pause(interval) : turn())
  }
}
