import type { Log } from '../log/log.ts'
import { type Clock, SECOND, systemClock } from './clock.ts'

/** How often the time is queried, and by how many samples: the fastest response is the most accurate. */
const SYNC_EVERY_MS = 10 * SECOND
const SAMPLES_PER_SYNC = 3
/** A machine that is synchronised with NTP differs by a few milliseconds. */
const TOLERATED_DIFFERENCE_MS = SECOND

interface Parts {
  /** Queries the remote time, in milliseconds since 1970-01-01 UTC. */
  query: () => Promise<number>
  log: Pick<Log, 'warn'>
  /** The clock of this machine: only compared, and reported if it differs. */
  local?: Clock
  /** A monotonic clock, in milliseconds. */
  monotonic?: () => number
}

export interface RemoteClock extends Clock {
  /** Whether the clock of this machine differed by more than a second at the last query. */
  readonly differs: boolean
  sync(): Promise<void>
  /** Queries every ten seconds. A failed query changes nothing. */
  start(): void
  stop(): void
}

/**
 * Creates a clock that follows that of another machine, accurate to half of a round trip. In between, the monotonic
 * clock continues it. Rejects if the first queries fail.
 * @see docs/decisions/0016-database-clock.md
 */
export async function createRemoteClock({
  query,
  log,
  local = systemClock,
  monotonic = () => performance.now(),
}: Parts): Promise<RemoteClock> {
  /** Remote time minus monotonic time. */
  let offset: number | undefined
  let differs = false
  let timer: NodeJS.Timeout | undefined

  async function sample(): Promise<{ offset: number; uncertainty: number }> {
    const before = monotonic()
    const remote = await query()
    const uncertainty = (monotonic() - before) / 2
    return { offset: remote - before - uncertainty, uncertainty }
  }

  async function sync(): Promise<void> {
    let best = await sample()
    for (let count = 1; count < SAMPLES_PER_SYNC; count++) {
      const next = await sample()
      if (next.uncertainty < best.uncertainty) best = next
    }
    // An offset within the uncertainty is no improvement: keep the old one, so that the time does not jitter.
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

  function scheduleSync(): void {
    timer = setTimeout(
      () =>
        sync()
          .catch(() => {})
          .finally(() => timer && scheduleSync()),
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
    start: scheduleSync,
    stop() {
      clearTimeout(timer)
      timer = undefined
    },
  }
}
