import { Readable } from 'node:stream'
import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import type { PersonalData } from '../../kernel/lib/declaration.ts'
import { jsonText } from '../../kernel/lib/json-text.ts'
import type { Audit } from '../audit/audit.service.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import type { Identity } from '../sessions/sessions.service.ts'
import type { Users } from '../users/users.service.ts'
import { accountEvents } from './account.events.ts'
import { exportSchema } from './account.schemas.ts'

interface Parts {
  database: Database
  clock: Clock
  users: Users
  audit: Audit
  /** The personal data that the modules declare. */
  lists: Readonly<Record<string, PersonalData>>
}

/** The number of concurrent exports in a process. */
const MAX_CONCURRENT_EXPORTS = 8

/** Exports all data of a user (GDPR, articles 15 and 20). */
export function createExports({ database, clock, users, audit, lists }: Parts) {
  const running = new Set<string>()

  /** The members of the file in order; lists of unbounded length are read in pages. */
  const members = (caller: Identity) => ({
    exported_at: timestamp(clock.now()),
    user: users.toUser(caller),
    delete_after: caller.delete_after,
    ...Object.fromEntries(Object.entries(lists).map(([name, { pages }]) => [name, pages(caller)])),
  })

  /**
   * Returns one JSON file as a stream, which reads the database as it is consumed and is destroyed on errors. Throws
   * AppError `rate_limited` while another export of the user runs, `overloaded` while too many run.
   */
  async function of(caller: Identity, origin: Origin): Promise<Readable> {
    if (running.has(caller.id))
      throw new AppError(rateLimitsErrors.rate_limited, {
        retryAfter: 5,
        detail: 'Another export of this account is still running.',
      })
    if (running.size >= MAX_CONCURRENT_EXPORTS)
      throw new AppError(kernelErrors.overloaded, { retryAfter: 5, detail: 'Too many exports are running.' })
    running.add(caller.id)
    const end = () => running.delete(caller.id)
    try {
      await audit.record(database.db, origin, { event: accountEvents['account.exported'], target: caller.id })
      return Readable.from(jsonText(members(caller)), { objectMode: false }).once('close', end)
    } catch (error) {
      end()
      throw error
    }
  }

  return {
    schema: exportSchema(lists),
    of,
  }
}

export type Exports = ReturnType<typeof createExports>
