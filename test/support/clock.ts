import type { Clock } from '../../src/kernel/lib/clock.ts'

export interface TestClock extends Clock {
  /** Moves the time on, or back, by milliseconds. */
  advance(milliseconds: number): void
}

/** The time of the machine, which a test can move without waiting for it. */
export function createTestClock(): TestClock {
  let offset = 0
  return {
    now: () => Date.now() + offset,
    advance(milliseconds) {
      offset += milliseconds
    },
  }
}
