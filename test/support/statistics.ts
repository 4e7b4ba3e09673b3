/**
 * The area under the ROC curve: how likely a sample of `a` is above one of `b` (Mann and Whitney). 0.5 says that nothing
 * tells them apart.
 */
export function aucOf(a: number[], b: number[]): number {
  let wins = 0
  for (const x of a) for (const y of b) wins += x > y ? 1 : x === y ? 0.5 : 0
  return wins / (a.length * b.length)
}

/** How far from 0.5 that area comes by chance with `n` samples of each kind: four standard deviations. */
export const chanceOf = (n: number): number => 4 / Math.sqrt(6 * n)
