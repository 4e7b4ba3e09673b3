import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from '../../kernel/db/database.ts'
import { takeLease } from '../../kernel/db/leases.ts'
import { type Clock, MINUTE } from '../../kernel/lib/clock.ts'
import { guarded } from '../../kernel/lib/guarded.ts'
import type { Log } from '../../kernel/log/log.ts'

/** How often the jobs run, how many rows a transaction deletes, and the pause between transactions, in ms. */
const INTERVAL_MS = 10 * MINUTE
const BATCH_SIZE = 200
const BATCH_PAUSE_MS = 20

interface Parts {
  database: Database
  clock: Clock
  log: Log
  /** Each deletes up to `limit` rows and returns how many it deleted. */
  jobs: Record<string, (limit: number) => Promise<number>>
}

/** Deletes data past its retention time (ASVS 14.2.7), in small batches, on one instance at a time. */
export function createRetention({ database, clock, log, jobs }: Parts) {
  const holder = randomUUID()
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  /** Runs every job once. Returns the number of deleted rows by job, or null if another instance runs them. */
  async function run(): Promise<Record<string, number> | null> {
    if (!(await takeLease(database.db, 'retention', holder, clock.now(), INTERVAL_MS - MINUTE))) return null
    const deleted: Record<string, number> = {}
    for (const [name, job] of Object.entries(jobs))
      try {
        deleted[name] = await runToEnd(job)
      } catch (err) {
        log.warn({ err, job: name }, 'retention job failed') // The other jobs still run.
      }
    if (Object.values(deleted).some(Boolean)) log.info({ deleted }, 'expired data deleted')
    return deleted
  }

  async function runToEnd(job: (limit: number) => Promise<number>): Promise<number> {
    let sum = 0
    for (;;) {
      const count = await job(BATCH_SIZE)
      sum += count
      if (count < BATCH_SIZE || stopping.signal.aborted) return sum
      await pause(BATCH_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  function schedule(delay: number): void {
    const work = () => {
      running = run()
        .catch((err) => log.warn({ err }, 'retention failed'))
        .finally(() => stopping.signal.aborted || schedule(INTERVAL_MS))
    }
    timer = setTimeout(guarded(log, 'retention', work), delay).unref()
  }

  // The random delay spreads instances that start at the same time.
  const start = () => schedule(MINUTE * (0.5 + Math.random()))

  async function stop(): Promise<void> {
    stopping.abort()
    clearTimeout(timer)
    await running
  }

  return {
    run,
    start,
    stop,
  }
}
