/** A source of the current time. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/** Formats a time as RFC 3339 in UTC with milliseconds, which sorts as text. */
export const timestamp = (milliseconds: number): string => new Date(milliseconds).toISOString()

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
