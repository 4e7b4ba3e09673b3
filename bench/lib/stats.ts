/** The middle value; the mean of the two middle ones for an even count. NaN for an empty list. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** How far the rounds lie apart: (largest − smallest) / median. */
export function spread(values: number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values)
}

/** Nearest-rank percentile, `share` from 0 to 1. NaN for an empty list. */
export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
