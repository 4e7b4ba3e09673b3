import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Clock, DAY, MINUTE, timestamp } from '../../kernel/clock.ts'
import type { Config } from '../../kernel/config.ts'
import type { Database } from '../../kernel/db/database.ts'
import { takeLease } from '../../kernel/db/leases.ts'
import { deleteExpiredKeys } from '../../kernel/http/idempotency.store.ts'
import type { Log } from '../../kernel/log.ts'
import { deleteMailsBefore } from '../../kernel/mail/outbox.store.ts'
import { SYSTEM } from '../../kernel/origin.ts'
import type { Account } from '../account/account.service.ts'
import { deleteEventsBefore } from '../audit/audit.store.ts'
import { deleteExpiredTokens } from '../mails/links.store.ts'
import { deleteSessionsBefore } from '../sessions/sessions.store.ts'
import type { Users } from '../users/users.service.ts'

/** How often it is done, how many rows go in one transaction, and the breath between two, in ms. */
const EVERY = 10 * MINUTE
const BATCH = 200
const BREATH = 20
/** How long ended sessions and sent mails can still be looked up. */
const SESSIONS_KEPT = 30 * DAY
const MAILS_KEPT = 90 * DAY

interface Parts {
  database: Database
  clock: Clock
  config: Pick<Config, 'auditRetention'>
  log: Log
  users: Users
  account: Account
}

/** Lets go of what is over (ASVS 14.2.7): in small batches, and by one instance at a time. */
export function createHousekeeping({ database, clock, config, log, users, account }: Parts) {
  const holder = randomUUID()
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()

  const before = (age: number) => timestamp(clock.now() - age)
  const { db } = database
  const chores: Record<string, () => Promise<number>> = {
    sessions: () => deleteSessionsBefore(db, before(SESSIONS_KEPT), BATCH),
    one_time_tokens: () => deleteExpiredTokens(db, before(0), BATCH),
    idempotency_keys: () => deleteExpiredKeys(db, clock.now(), BATCH),
    mails: () => deleteMailsBefore(db, before(MAILS_KEPT), BATCH),
    audit_events: () => deleteEventsBefore(db, before(config.auditRetention), BATCH),
    accounts: deleteAccounts,
  }

  /** Accounts whose grace time is over. The last administrator stays, whatever they have asked for. */
  async function deleteAccounts(): Promise<number> {
    const due = await users.dueForDeletion(BATCH)
    let deleted = 0
    for (const user of due)
      deleted += await database
        .transaction((trx) => account.remove(trx, user, SYSTEM))
        .then(() => 1)
        .catch((err) => {
          log.error({ err, user_id: user.id }, 'account not deleted')
          return 0
        })
    return deleted
  }

  /** Does everything once; returns what was deleted, or null where another instance is at it. */
  async function run(): Promise<Record<string, number> | null> {
    if (!(await takeLease(db, 'housekeeping', holder, clock.now(), EVERY - MINUTE))) return null
    const deleted: Record<string, number> = {}
    for (const [name, chore] of Object.entries(chores)) {
      let count = 0
      do {
        count = await chore()
        deleted[name] = (deleted[name] ?? 0) + count
        await pause(BREATH, undefined, { signal: stopping.signal }).catch(() => {})
      } while (count === BATCH && !stopping.signal.aborted)
    }
    if (Object.values(deleted).some(Boolean)) log.info({ deleted }, 'housekeeping')
    return deleted
  }

  function schedule(delay: number): void {
    timer = setTimeout(() => {
      running = run()
        .catch((err) => log.warn({ err }, 'housekeeping failed'))
        .finally(() => stopping.signal.aborted || schedule(EVERY))
    }, delay).unref()
  }

  return {
    run,
    start: () => schedule(MINUTE * (0.5 + Math.random())),
    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      await running
    },
  }
}

export type Housekeeping = ReturnType<typeof createHousekeeping>
