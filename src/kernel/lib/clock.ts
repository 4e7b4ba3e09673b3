/** Where the time comes from: the system, or a test that moves it. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/** RFC 3339 in UTC with milliseconds, the only form of time in the database and in JSON: it sorts as text. */
export const timestamp = (milliseconds: number): string => new Date(milliseconds).toISOString()

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
