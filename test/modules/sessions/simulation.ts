import fc from 'fast-check'
import type {
  Generations,
  isSameBrowser,
  lastUse,
  refresh,
  see,
  Use,
} from '../../../src/modules/sessions/generations.ts'

/** What is simulated over: the real state machine, or one with a fault. */
export interface Machine {
  refresh: typeof refresh
  see: typeof see
  isSameBrowser: typeof isSameBrowser
  lastUse: typeof lastUse
}

export const GRACE = 10_000
const HOUR = 3_600_000
export const TOLERANCE = 24 * HOUR
/** A client gives an attempt up after this time, in milliseconds; an answer that comes later is not taken. */
const PATIENCE = 2000
const ATTEMPTS = 3

/** One message to the server and its answer: delays in milliseconds, null where it is lost; `again` is its double. */
interface Trip {
  out: number | null
  back: number | null
  again: number | null
}
interface Visit {
  isolate: number
  offset: number
  attempts: Trip[]
  use: Trip
}
/** A burst of activity: the access token has expired, and whoever is awake refreshes. */
interface Round {
  gap: number
  visits: Visit[]
  /** The app is killed this long after the beginning: nothing is stored or sent any more. */
  killed: number | null
  /** The database fails over to a copy that lacks what was written since this many rounds. */
  lost: number | null
  thief: { offset: number; refreshes: boolean }[]
  /** The network of the browser by now, where its cookie proves it. */
  network: number
}
/**
 * Isolates that read and write one stored pair; those that each have their own and keep in step; and tabs of a browser,
 * each with its own pair, that do not, without the cookie of the device and with it.
 */
export type Kind = 'shared' | 'in step' | 'tabs' | 'tabs with a cookie'
export interface Story {
  kind: Kind
  rounds: Round[]
  /** When somebody copies the stored pair: round, and milliseconds after its beginning. */
  theft: { round: number; offset: number } | null
  /** Where the thief is: elsewhere; where a cookie tells more, they may be at the same place with the same browser. */
  thief: Pick<Use, 'network' | 'userAgent'>
}

const lostOr = (delay: fc.Arbitrary<number>) => fc.option(delay, { nil: null, freq: 3 })

/** Stories in which no message is older than the grace time when it arrives: what a network and an app do at worst. */
export function stories({ theft, kinds }: { theft: boolean; kinds: Kind[] }): fc.Arbitrary<Story> {
  return fc.constantFrom(...kinds).chain((kind) => {
    const isTabs = kind.startsWith('tabs')
    // Isolates that do not share have to catch up within the grace time, their retries included.
    const shared = kind !== 'in step'
    const delay = fc.integer({ min: 0, max: shared ? 9000 : 3000 })
    const quick = fc.integer({ min: 0, max: 900 })
    const trip = fc.record({ out: lostOr(delay), back: lostOr(delay), again: lostOr(delay) })
    const sure = fc.record({ out: quick, back: quick, again: lostOr(quick) })
    const attempts = shared
      ? fc.array(trip, { minLength: 1, maxLength: ATTEMPTS })
      : fc.tuple(fc.array(trip, { maxLength: ATTEMPTS - 1 }), sure).map(([unsure, last]) => [...unsure, last])
    const visit = (isolate: number) =>
      fc.record({ isolate: fc.constant(isolate), offset: fc.integer({ min: 0, max: 1900 }), attempts, use: trip })
    const isolates = fc.tuple(visit(0), visit(1), visit(2))
    const round = fc.record({
      gap: fc.oneof(
        fc.integer({ min: 9000, max: 30_000 }),
        fc.integer({ min: 30_000, max: isTabs ? 2.5 * HOUR : 400 * HOUR }),
      ),
      visits: shared ? isolates.chain((all) => fc.subarray(all, { minLength: 1 })) : isolates,
      killed: shared ? lostOr(fc.integer({ min: 0, max: 8000 })) : fc.constant(null),
      lost: shared && !isTabs ? fc.option(fc.integer({ min: 1, max: 2 }), { nil: null, freq: 5 }) : fc.constant(null),
      thief: fc.array(fc.record({ offset: fc.integer({ min: 0, max: 30_000 }), refreshes: fc.boolean() }), {
        maxLength: 3,
      }),
      network: fc.integer({ min: 1, max: kind === 'tabs with a cookie' ? 3 : 1 }),
    })
    const home = { network: 'home 1', userAgent: 'browser' }
    return fc.record({
      kind: fc.constant(kind),
      thief: fc.constantFrom(
        { ...home, network: 'elsewhere' },
        { ...home, userAgent: 'another' },
        { network: 'elsewhere', userAgent: 'another' },
        { ...home, userAgent: null },
        ...(kind === 'tabs with a cookie' ? [home] : []),
      ),
      rounds: fc.array(round, { minLength: 1, maxLength: 6 }),
      theft: theft
        ? fc.record({ round: fc.integer({ min: 0, max: 5 }), offset: fc.integer({ min: 0, max: 9000 }) })
        : fc.constant(null),
    })
  })
}

/** How it went: whether the session was ended for reuse, and every way in which the machine contradicted itself. */
export interface Outcome {
  ended: boolean
  faults: string[]
}

/**
 * Plays a story. At its end, with hours between them, the device and the thief each refresh once and use what they got,
 * twice: by then a copy in two hands must have been found.
 */
export function play(machine: Machine, story: Story): Outcome {
  const world = createWorld()
  const home: Use = {
    cookie: story.kind === 'tabs with a cookie' ? 'shown' : 'none',
    network: 'home 1',
    userAgent: 'browser',
  }
  const theirs: Use = { ...story.thief, cookie: 'none' }
  const server = createServer(machine, world.now, story.kind.startsWith('tabs') ? TOLERANCE : 0)
  const storage = { generation: 0 }
  const isShared = story.kind === 'shared'
  const memories = [0, 1, 2].map(() => (isShared ? storage : { generation: 0 }))
  const first = memories[0] as { generation: number }
  let thief: { generation: number } | null = null
  // The browser has shown its cookie once before anybody can copy anything.
  if (home.cookie === 'shown') first.generation = server.refresh(0, home) ?? 0

  const send = <T>(trip: Trip, request: () => T, answered: (answer: T) => void) => {
    if (trip.out !== null)
      world.after(trip.out, () => {
        const answer = request()
        if (trip.back !== null) world.after(trip.back, () => answered(answer))
      })
    if (trip.again !== null) world.after(trip.again, request)
  }
  const visit = ({ isolate, attempts, use }: Visit, isKilled: () => boolean) => {
    const memory = memories[isolate] as { generation: number }
    const stale = memory.generation
    const attempt = ([trip, ...rest]: Trip[]) => {
      // Another isolate has stored a new pair meanwhile: nothing is to be refreshed.
      if (!trip || isKilled() || (isShared && memory.generation !== stale)) return
      let over = false
      const { generation } = memory
      send(
        trip,
        () => server.refresh(generation, home),
        (next) => {
          if (over || isKilled() || next === null) return
          over = true
          memory.generation = next
          send(
            use,
            () => server.use(next),
            () => {},
          )
        },
      )
      world.after(PATIENCE, () => {
        if (!over) attempt(rest)
        over = true
      })
    }
    send(
      use,
      () => server.use(stale),
      () => {},
    )
    attempt(attempts)
  }

  const copies: Stored[] = []
  story.rounds.forEach((round, index) => {
    world.pass(round.gap) // Messages of the round before may still be on the way.
    copies.unshift(server.state())
    if (round.lost !== null) server.restore(copies[Math.min(round.lost, copies.length - 1)] as Stored)
    const begun = world.now()
    home.network = `home ${round.network}`
    const isKilled = () => round.killed !== null && world.now() - begun >= round.killed
    for (const each of round.visits) world.after(each.offset, () => visit(each, isKilled))
    if (story.theft?.round === index)
      world.after(story.theft.offset, () => {
        thief ??= { ...first }
      })
    for (const { offset, refreshes } of round.thief)
      world.after(offset, () => {
        if (!thief) return
        if (refreshes) thief.generation = server.refresh(thief.generation, theirs) ?? thief.generation
        server.use(thief.generation)
      })
  })
  world.pass(HOUR)
  if (story.theft) thief ??= { ...first }
  const own = story.kind.startsWith('tabs') ? memories : [first]
  for (const holder of [...own, thief, first, thief]) {
    const next = holder && server.refresh(holder.generation, holder === thief ? theirs : home)
    if (!holder || next === null) continue
    holder.generation = next
    server.use(next)
    world.pass(HOUR)
  }
  return server.outcome()
}

/** What the row of a session holds. */
interface Stored {
  generations: Generations
  last: Use
}

/** A session on a server that watches the machine while it is used. */
function createServer(machine: Machine, now: () => number, tolerance: number) {
  const rules = { grace: GRACE, tolerance }
  let { generations: state, last }: Stored = {
    generations: { current: 0, seen: [] },
    last: { cookie: 'none', network: 'home 1', userAgent: 'browser' },
  }
  let ended = false
  let advanced = new Set<number>()
  const faults: string[] = []
  const expect = (holds: boolean, fault: string) => void (holds || faults.push(fault))
  return {
    /** The generation that is handed out; null when the session is over. */
    refresh(presented: number, present: Use): number | null {
      if (ended) return null
      const verdict = machine.refresh(state, presented, now(), rules, machine.isSameBrowser(last, present))
      if (verdict.kind === 'reused') ended = true
      if (verdict.kind === 'advanced') {
        expect(!advanced.has(presented), 'a generation has two successors')
        expect(verdict.next.current === presented + 1, 'a successor is not the next')
        advanced.add(presented)
        state = verdict.next
        last = machine.lastUse(last, present)
      }
      expect(state.seen.length <= (tolerance ? 16 + 26 : 16), 'the memory grows')
      expect(
        state.seen.every(([generation], i) => generation > (state.seen[i - 1]?.[0] ?? -1)),
        'the memory is out of order',
      )
      return ended ? null : state.current
    },
    use(generation: number): void {
      if (!ended) state = machine.see(state, generation, now(), rules) ?? state
    },
    state: (): Stored => structuredClone({ generations: state, last }),
    restore(copy: Stored): void {
      state = copy.generations
      last = copy.last
      advanced = new Set()
    },
    outcome: (): Outcome => ({ ended, faults }),
  }
}

/** A time that moves from event to event. */
function createWorld() {
  let time = 1_000_000
  let events: { at: number; happen: () => void }[] = []
  return {
    now: () => time,
    after(delay: number, happen: () => void): void {
      const at = time + delay
      const later = events.findIndex((event) => event.at > at)
      events.splice(later < 0 ? events.length : later, 0, { at, happen })
    },
    /** Lets so much time pass, and happen what is due meanwhile. */
    pass(duration: number): void {
      const until = time + duration
      for (let next = events[0]; next && next.at <= until; next = events[0]) {
        events = events.slice(1)
        time = next.at
        next.happen()
      }
      time = until
    },
  }
}
