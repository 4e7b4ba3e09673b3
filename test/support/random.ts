/** Pseudo-random numbers that are the same for the same seed (mulberry32, public domain). */
export function createRandom(seed: number) {
  let state = seed >>> 0
  /** From 0, less than 1. */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  /** A whole number from 0, less than `n`. */
  const below = (n: number): number => Math.floor(next() * n)
  return { next, below, pick: <T>(items: readonly T[]): T => items[below(items.length)] as T }
}

export type Random = ReturnType<typeof createRandom>
