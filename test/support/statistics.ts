/**
 * The area under the ROC curve: the probability that a sample of `a` is above one of `b` (Mann–Whitney). At 0.5 they
 * cannot be distinguished.
 */
export function aucOf(a: number[], b: number[]): number {
  let wins = 0
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0
  return wins / (a.length * b.length)
}

/** The distance from 0.5 that is still chance with `n` samples of each kind: four standard deviations. */
export const chanceOf = (n: number): number => 4 / Math.sqrt(6 * n)
