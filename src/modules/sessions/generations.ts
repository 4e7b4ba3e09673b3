/**
 * The state machine of refresh tokens. `docs/sessions.md` tells it in words; everything that decides is here.
 *
 * A session counts its refresh generations. Generation n is *seen* when somebody uses it: its access token on any call,
 * or its refresh token. Until n + 1 has been seen, the answer that carried it may have been lost, so n is accepted again
 * and gives the same successor. After that n is past: for `grace` it still counts as a call that ran in parallel, for
 * `tolerance` as another tab of the same browser, and from anywhere else as the sign of a copied token.
 */
export interface Generations {
  /** The newest generation that was handed out. */
  current: number
  /** [generation, when it was first seen in ms], ascending; older ones are thinned out: see `remembered`. */
  seen: [generation: number, at: number][]
}

/** How long a past generation is still answered, in milliseconds since its successor was first seen. */
export interface Rules {
  /** From anywhere: a parallel call. */
  grace: number
  /** From the browser of the session: another of its tabs. 0 in sessions that no browser has begun. */
  tolerance: number
}

export type Verdict =
  /** The presented token was the current one: a new generation begins. */
  | { kind: 'advanced'; next: Generations }
  /** The same again, or a parallel call: the current generation is handed out once more. */
  | { kind: 'repeated' }
  /** A past generation came from the same browser: a tab that was left behind is handed the current one. */
  | { kind: 'stale' }
  /** A past generation came back: somebody else may hold a copy. The session must end. */
  | { kind: 'reused' }

/** More generations than this within one grace time are not remembered: the oldest count as past. */
const MAX_REMEMBERED_GENERATIONS = 16
/** Into so many parts the tolerance is divided; of each part, one generation is remembered. */
const TOLERANCE_PARTS = 24

/** The column that counts them ends at 2^31 - 1, and there must be room for the next one. */
const MAX_GENERATION = 2 ** 31 - 2

/** Whether a value can be the number of a generation. */
export const isGeneration = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_GENERATION

export const firstGeneration = (): Generations => ({ current: 0, seen: [] })

/**
 * Judges the use of a refresh token whose MAC has been checked. `now` is in milliseconds; `sameBrowser` is what
 * `isSameBrowser` says.
 *
 * A generation that is newer than the current one can only come from before a database was restored or failed over: we
 * did hand it out, so the session goes on from there instead of signing the device out.
 */
export function refresh(
  state: Generations,
  presented: number,
  now: number,
  rules: Rules,
  sameBrowser = false,
): Verdict {
  if (presented >= state.current) {
    const seen = see({ current: presented, seen: state.seen }, presented, now, rules) ?? { seen: state.seen }
    return { kind: 'advanced', next: { current: presented + 1, seen: seen.seen } }
  }
  const successor = presented + 1
  const at = state.seen.find(([generation]) => generation === successor)?.[1]
  const isUnseen = successor === state.current && at === undefined
  const isParallel = at !== undefined && now - at <= rules.grace
  if (isUnseen || isParallel) return { kind: 'repeated' }
  // Where the successor itself is not remembered, the next one that is was seen later, by a part of the tolerance.
  const past = state.seen.find(([generation]) => generation >= successor)?.[1]
  const isTab = sameBrowser && past !== undefined && now - past <= rules.tolerance
  return { kind: isTab ? 'stale' : 'reused' }
}

/** Whether the use of a generation is its first. */
export const isNews = ({ current, seen }: Generations, used: number): boolean =>
  used > current || (used === current && seen.at(-1)?.[0] !== used)

/** Notes the first use of a generation, by either of its tokens; null where there is nothing new to note. */
export function see(state: Generations, used: number, now: number, rules: Rules): Generations | null {
  if (!isNews(state, used)) return null
  return { current: used, seen: [...remembered(state.seen, now, rules), [used, now]] }
}

/** Every generation of the grace time; of the tolerance before it, the last one of each part, and one that is older. */
function remembered(seen: Generations['seen'], now: number, { grace, tolerance }: Rules): Generations['seen'] {
  const recent = seen.filter(([, at]) => now - at <= grace).slice(1 - MAX_REMEMBERED_GENERATIONS)
  if (tolerance === 0) return recent
  const part = (at: number) => Math.floor(at / (tolerance / TOLERANCE_PARTS))
  const older = seen
    .filter(([generation]) => generation < (recent[0]?.[0] ?? Number.POSITIVE_INFINITY))
    .filter(([, at], index, all) => part(at) !== part(all[index + 1]?.[1] ?? Number.NaN))
  // Whatever is not younger than the newest of those that are out of it, is out of it too.
  const end = older.findLastIndex(([, at]) => now - at > tolerance)
  return [...older.slice(Math.max(0, end)).slice(-(TOLERANCE_PARTS + 2)), ...recent]
}

/** From where a session was continued last, or is to be now. */
export interface Use {
  /** Whether the cookie came that names the device of the session; `lost`: it had come before, and then no more. */
  cookie: 'none' | 'shown' | 'lost'
  network: string | null
  userAgent: string | null
}

/**
 * Whether a request comes from the browser that continued the session last. A cookie that scripts cannot read proves it:
 * once it has come, nothing else does. Until then, network and user agent are all there is.
 */
export function isSameBrowser(last: Use, present: Use): boolean {
  if (last.cookie !== 'none') return last.cookie === 'shown' && present.cookie === 'shown'
  return (
    last.network !== null &&
    last.network === present.network &&
    last.userAgent !== null &&
    last.userAgent === present.userAgent
  )
}

/** What is kept of a use that has begun a new generation: the next one is compared with it. */
export const lastUse = (last: Use, present: Use): Use => ({
  ...present,
  cookie: present.cookie === 'none' && last.cookie !== 'none' ? 'lost' : present.cookie,
})

/** The state as a session's row holds it. */
export const parseGenerations = (row: { generation: number; seen: string }): Generations => ({
  current: row.generation,
  seen: JSON.parse(row.seen),
})
