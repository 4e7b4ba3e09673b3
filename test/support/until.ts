import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'

/** How long to wait, in milliseconds: far longer than anything takes, for the machine may be busy. */
const PATIENCE = 30_000

interface Waiting {
  patience?: number
  /** Milliseconds between two looks; with 0, a turn of the event loop. */
  interval?: number
  /** What else the error says, such as the output of a process. */
  details?: () => string
}

/**
 * Waits until `condition` gives something truthy, and returns that.
 * @throws after `patience` milliseconds, with the condition as it is written in the test
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
