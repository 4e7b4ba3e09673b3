/**
 * The state machine of refresh tokens, described in `docs/sessions.md`. A generation is *seen* at the first use of its
 * access token or its refresh token; until then, its predecessor is accepted again.
 */
export interface Generations {
  /** The newest generation that was issued. */
  current: number
  /** [generation, when it was first seen in ms], ascending. Older ones are thinned out: see `remembered`. */
  seen: [generation: number, at: number][]
}

/** How long a past generation is accepted, in milliseconds since its successor was first seen. */
export interface Rules {
  /** From any client: a parallel call. */
  grace: number
  /** From the browser of the session: another tab. 0 in sessions that were not started by a browser. */
  tolerance: number
}

export type Verdict =
  /** The current token was used: a new generation begins. */
  | { kind: 'advanced'; next: Generations }
  /** A repeated or parallel call: the current generation is issued again. */
  | { kind: 'repeated' }
  /** A past generation from the same browser: a tab with outdated tokens gets the current generation. */
  | { kind: 'stale' }
  /** A past generation from another client: the token may have been copied, so the session must end. */
  | { kind: 'reused' }

/** The number of generations remembered within one grace period. If there are more, the oldest count as past. */
const MAX_REMEMBERED_GENERATIONS = 16
/** The tolerance is divided into this many parts; one generation of each part is remembered. */
const TOLERANCE_PARTS = 24

/** The column is a 32-bit integer and needs room for the next generation. */
const MAX_GENERATION = 2 ** 31 - 2

/** Returns whether a value is a valid generation number. */
export const isGeneration = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_GENERATION

export const firstGeneration = (): Generations => ({ current: 0, seen: [] })

/**
 * Decides about a refresh token with a valid MAC. `now` is in ms, `sameBrowser` the result of `isSameBrowser`. A
 * generation newer than the current one was issued before a restore or failover, so the session continues from it.
 */
export function refresh(state: Generations, used: number, now: number, rules: Rules, sameBrowser = false): Verdict {
  if (used >= state.current) {
    const seen = see({ current: used, seen: state.seen }, used, now, rules) ?? { seen: state.seen }
    return { kind: 'advanced', next: { current: used + 1, seen: seen.seen } }
  }
  const successor = used + 1
  const at = state.seen.find(([generation]) => generation === successor)?.[1]
  const isUnseen = successor === state.current && at === undefined
  const isParallel = at !== undefined && now - at <= rules.grace
  if (isUnseen || isParallel) return { kind: 'repeated' }
  // If the successor is not remembered, the next remembered generation was seen at most one part of the tolerance
  // later.
  const supersededAt = state.seen.find(([generation]) => generation >= successor)?.[1]
  const isTab = sameBrowser && supersededAt !== undefined && now - supersededAt <= rules.tolerance
  return { kind: isTab ? 'stale' : 'reused' }
}

/** Returns whether this is the first use of a generation. */
export const isFirstUse = ({ current, seen }: Generations, used: number): boolean =>
  used > current || (used === current && seen.at(-1)?.[0] !== used)

/** Records the first use of a generation, by either of its tokens. Returns null if it is not the first. */
export function see(state: Generations, used: number, now: number, rules: Rules): Generations | null {
  if (!isFirstUse(state, used)) return null
  return { current: used, seen: [...remembered(state.seen, now, rules), [used, now]] }
}

/** Keeps every generation of the grace period, the last one of each part of the tolerance, and one that is older. */
function remembered(seen: Generations['seen'], now: number, { grace, tolerance }: Rules): Generations['seen'] {
  const recent = seen.filter(([, at]) => now - at <= grace).slice(1 - MAX_REMEMBERED_GENERATIONS)
  if (tolerance === 0) return recent
  const part = (at: number) => Math.floor(at / (tolerance / TOLERANCE_PARTS))
  const older = seen
    .filter(([generation]) => generation < (recent[0]?.[0] ?? Number.POSITIVE_INFINITY))
    .filter(([, at], index, all) => part(at) !== part(all[index + 1]?.[1] ?? Number.NaN))
  // Older generations than the newest one outside the tolerance are not needed.
  const end = older.findLastIndex(([, at]) => now - at > tolerance)
  return [...older.slice(Math.max(0, end)).slice(-(TOLERANCE_PARTS + 2)), ...recent]
}

/** Where a session was last continued from, or is being continued from. */
export interface Use {
  /** Whether the request had the cookie of the session's device. `lost`: an earlier one had it, this one did not. */
  cookie: 'none' | 'shown' | 'lost'
  network: string | null
  userAgent: string | null
}

/**
 * Returns whether a request comes from the browser that last continued the session. Once the device cookie was sent,
 * only the cookie proves it; until then, network and user agent are compared.
 */
export function isSameBrowser(last: Use, current: Use): boolean {
  if (last.cookie !== 'none') return last.cookie === 'shown' && current.cookie === 'shown'
  return (
    last.network !== null &&
    last.network === current.network &&
    last.userAgent !== null &&
    last.userAgent === current.userAgent
  )
}

/** Returns what is stored of a use that begins a new generation, to compare the next use with. */
export const lastUse = (last: Use, current: Use): Use => ({
  ...current,
  cookie: current.cookie === 'none' && last.cookie !== 'none' ? 'lost' : current.cookie,
})

/** Parses the state stored in a session row. */
export const parseGenerations = (row: { generation: number; seen: string }): Generations => ({
  current: row.generation,
  seen: JSON.parse(row.seen),
})
