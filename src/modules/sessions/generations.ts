/**
 * The state machine of refresh tokens. `docs/sessions.md` tells it in words; everything that decides is here.
 *
 * A session counts its refresh generations. Generation n is *seen* when somebody uses it: its access token on any call,
 * or its refresh token. Until n + 1 has been seen, the answer that carried it may have been lost, so n is accepted again
 * and gives the same successor. After that n is past: for `grace` it still counts as a call that ran in parallel, and
 * later as the sign of a copied token.
 */
export interface Generations {
  /** The newest generation that was handed out. */
  current: number
  /** [generation, when it was first seen in ms], ascending; older ones than the grace time asks for are dropped. */
  seen: [generation: number, at: number][]
}

export type Verdict =
  /** The presented token was the current one: a new generation begins. */
  | { kind: 'advanced'; next: Generations }
  /** The same again, or a parallel call: the current generation is handed out once more. */
  | { kind: 'repeated' }
  /** A past generation came back: somebody else may hold a copy. The session must end. */
  | { kind: 'reused' }

/** More generations than this within one grace time are not remembered: the oldest count as past. */
const REMEMBERED = 16

/** The column that counts them ends at 2^31 - 1, and there must be room for the next one. */
const MAX_GENERATION = 2 ** 31 - 2

/** Whether a value can be the number of a generation. */
export const isGeneration = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_GENERATION

export const firstGeneration = (): Generations => ({ current: 0, seen: [] })

/**
 * Judges the use of a refresh token whose MAC has been checked. `now` and `grace` are in milliseconds.
 *
 * A generation that is newer than the current one can only come from before a database was restored or failed over: we
 * did hand it out, so the session goes on from there instead of signing the device out.
 */
export function refresh(state: Generations, presented: number, now: number, grace: number): Verdict {
  if (presented >= state.current) {
    const seen = see({ current: presented, seen: state.seen }, presented, now, grace) ?? { seen: state.seen }
    return { kind: 'advanced', next: { current: presented + 1, seen: seen.seen } }
  }
  const successor = presented + 1
  const at = state.seen.find(([generation]) => generation === successor)?.[1]
  const isUnseen = successor === state.current && at === undefined
  const isParallel = at !== undefined && now - at <= grace
  return { kind: isUnseen || isParallel ? 'repeated' : 'reused' }
}

/** Whether the use of a generation is its first. */
export const isNews = ({ current, seen }: Generations, used: number): boolean =>
  used > current || (used === current && seen.at(-1)?.[0] !== used)

/** Notes the first use of a generation, by either of its tokens; null where there is nothing new to note. */
export function see(state: Generations, used: number, now: number, grace: number): Generations | null {
  if (!isNews(state, used)) return null
  const recent = state.seen.filter(([, at]) => now - at <= grace).slice(1 - REMEMBERED)
  return { current: used, seen: [...recent, [used, now]] }
}

/** The state as a session's row holds it. */
export const parseGenerations = (row: { generation: number; seen: string }): Generations => ({
  current: row.generation,
  seen: JSON.parse(row.seen),
})
