import type { Bench } from './bench.ts'
import { median, spread } from './stats.ts'

/** What one contender did in one round. */
export interface Sample {
  value: number
  p50?: number
  p95?: number
  p99?: number
  requests?: number
  /** Answers of 400 and above, and broken connections, where none were expected. */
  errors?: number
}

/** One line of a table: medians over the rounds. */
export interface Row extends Sample {
  name: string
  /** (largest − smallest) / median of the rounds. */
  spread: number
  /** To the first row: the median of the ratios within each round, which a drift of the machine does not touch. */
  ratio: number
  rounds: number[]
  /** More than one in a hundred answers was not what was asked for: the figure says nothing. */
  invalid: boolean
}

/** One table: contenders for the same thing, the first of them the reference. */
export interface Group {
  scenario: string
  title: string
  unit: 'requests/s' | 'hashes/s' | 'ms at p95' | 'ms' | 'MiB'
  /** What the project wants to reach; printed, not judged. */
  aim?: string
  rows: Row[]
}

export interface Scenario {
  name: string
  about: string
  run(bench: Bench): Promise<Omit<Group, 'scenario'>[]>
}

/** A contender measures itself for about `seconds`. */
export type Contender = (seconds: number) => Promise<Sample>

/** Lets each contender run in turn, round after round, after one round to warm up. */
export async function alternate(bench: Bench, contenders: Record<string, Contender>): Promise<Row[]> {
  const { rounds, seconds, warmup } = bench.options
  const samples = new Map(Object.keys(contenders).map((name): [string, Sample[]] => [name, []]))
  for (const contender of Object.values(contenders)) await contender(warmup)
  for (let round = 0; round < rounds; round++)
    for (const [name, contender] of Object.entries(contenders)) samples.get(name)?.push(await contender(seconds))
  return summarise(samples)
}

/** Rows from the samples of each contender, a sample per round; the first contender is the reference. */
export function summarise(samples: Map<string, Sample[]>): Row[] {
  const [reference = []] = samples.values()
  return [...samples].map(([name, of]) => {
    const values = of.map(({ value }) => value)
    const middle = (key: 'p50' | 'p95' | 'p99') => {
      const known = of.flatMap((sample) => sample[key] ?? [])
      return known.length ? { [key]: median(known) } : {}
    }
    const sum = (key: 'requests' | 'errors') => of.reduce((total, sample) => total + (sample[key] ?? 0), 0)
    return {
      name,
      value: median(values),
      spread: spread(values),
      ratio: median(of.map(({ value }, round) => value / (reference[round]?.value ?? Number.NaN))),
      ...middle('p50'),
      ...middle('p95'),
      ...middle('p99'),
      requests: sum('requests'),
      errors: sum('errors'),
      invalid: sum('requests') > 0 && sum('errors') > sum('requests') / 100,
      rounds: values,
    }
  })
}
