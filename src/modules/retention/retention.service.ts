import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../kernel/db/database.ts'
import { takeLease } from '../../kernel/db/leases.ts'
import { type Clock, MINUTE } from '../../kernel/lib/clock.ts'
import { guarded } from '../../kernel/lib/guarded.ts'
import type { Log } from '../../kernel/log/log.ts'

/** How often it is done, how many rows go in one transaction, and the breath between two, in ms. */
const EVERY = 10 * MINUTE
const BATCH = 200
const BREATH = 20

interface Parts {
  database: Database
  clock: Clock
  log: Log
  /** Each lets go of up to `limit` rows and tells how many there were. */
  chores: Record<string, (limit: number) => Promise<number>>
}

/** Lets go of what is over (ASVS 14.2.7): in small batches, and by one instance at a time. */
export function createHousekeeping({ database, clock, log, chores }: Parts) {
  const holder = randomUUID()
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  /** Does everything once; returns what was deleted, or null where another instance is at it. */
  async function run(): Promise<Record<string, number> | null> {
    if (!(await takeLease(database.db, 'housekeeping', holder, clock.now(), EVERY - MINUTE))) return null
    const deleted: Record<string, number> = {}
    for (const [name, chore] of Object.entries(chores))
      try {
        deleted[name] = await finish(chore)
      } catch (err) {
        log.warn({ err, chore: name }, 'housekeeping failed') // the others are done all the same
      }
    if (Object.values(deleted).some(Boolean)) log.info({ deleted }, 'housekeeping')
    return deleted
  }

  async function finish(chore: (limit: number) => Promise<number>): Promise<number> {
    let sum = 0
    for (;;) {
      const count = await chore(BATCH)
      sum += count
      if (count < BATCH || stopping.signal.aborted) return sum
      await pause(BREATH, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  function schedule(delay: number): void {
    const work = () => {
      running = run()
        .catch((err) => log.warn({ err }, 'housekeeping failed'))
        .finally(() => stopping.signal.aborted || schedule(EVERY))
    }
    timer = setTimeout(guarded(log, 'housekeeping', work), delay).unref()
  }

  return {
    run,
    // Instances that start together do not all ask at once.
    start: () => schedule(MINUTE * (0.5 + Math.random())),
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}
