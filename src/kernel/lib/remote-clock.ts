import type { Log } from '../log/log.ts'
import { type Clock, SECOND, systemClock } from './clock.ts'

/** How often the time is asked for again, and by how many questions: the quickest answer is the best one. */
const SYNC_EVERY_MS = 10 * SECOND
const QUESTIONS_PER_SYNC = 3
/** A machine whose clock is kept by NTP differs by some milliseconds. */
const TOLERATED_DIFFERENCE_MS = SECOND

interface Parts {
  /** Asks for the remote time, in milliseconds since 1970-01-01 UTC. */
  ask: () => Promise<number>
  log: Pick<Log, 'warn'>
  /** The clock of this machine: only told about. */
  local?: Clock
  /** What only ever goes on, whatever is done to the clock of the machine, in milliseconds. */
  monotonic?: () => number
}

export interface RemoteClock extends Clock {
  /** Whether the clock of this machine has been found to differ by more than a second. */
  readonly differs: boolean
  sync(): Promise<void>
  /** Asks again every ten seconds. A question without an answer changes nothing. */
  start(): void
  stop(): void
}

/**
 * The time of another machine, which all instances share: whatever their own clocks say, they agree to within half of the
 * time that an answer takes. Between two questions it goes on with the monotonic clock, so that setting the clock of this
 * machine changes nothing. Rejects when the first questions get no answer.
 */
export async function createRemoteClock({
  ask,
  log,
  local = systemClock,
  monotonic = () => performance.now(),
}: Parts): Promise<RemoteClock> {
  /** Remote time less monotonic time. */
  let offset: number | undefined
  let differs = false
  let timer: NodeJS.Timeout | undefined

  async function sample(): Promise<{ offset: number; uncertainty: number }> {
    const before = monotonic()
    const remote = await ask()
    const uncertainty = (monotonic() - before) / 2
    return { offset: remote - before - uncertainty, uncertainty }
  }

  async function sync(): Promise<void> {
    let best = await sample()
    for (let question = 1; question < QUESTIONS_PER_SYNC; question++) {
      const next = await sample()
      if (next.uncertainty < best.uncertainty) best = next
    }
    // What is within the uncertainty of the answer is no better than what was known: the time does not jitter.
    if (offset === undefined || Math.abs(best.offset - offset) > best.uncertainty) offset = best.offset
    compareWithLocal(best.uncertainty)
  }

  function compareWithLocal(uncertainty: number): void {
    const difference = Math.round(local.now() - now())
    const before = differs
    differs = Math.abs(difference) > TOLERATED_DIFFERENCE_MS + uncertainty
    if (differs && !before)
      log.warn(
        { difference_ms: difference },
        'the clock of this machine differs from the clock of the database, which is used: synchronize both with NTP',
      )
  }

  const now = (): number => Math.floor(monotonic() + (offset as number))

  function repeat(): void {
    timer = setTimeout(
      () =>
        sync()
          .catch(() => {})
          .finally(() => timer && repeat()),
      SYNC_EVERY_MS,
    ).unref()
  }

  await sync()
  return {
    now,
    sync,
    get differs() {
      return differs
    },
    start: repeat,
    stop() {
      clearTimeout(timer)
      timer = undefined
    },
  }
}
