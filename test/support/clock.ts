import type { Clock } from '../../src/kernel/lib/clock.ts'

export interface TestClock extends Clock {
  /** Moves the time forward, or back, by milliseconds. */
  advance(milliseconds: number): void
}

/** The system time with an offset that a test can change. */
export function createTestClock(): TestClock {
  let offset = 0
  return {
    now: () => Date.now() + offset,
    advance(milliseconds) {
      offset += milliseconds
    },
  }
}
