import { Readable } from 'node:stream'
import type { Database } from '../../kernel/db/database.ts'
import { AppError } from '../../kernel/errors/app-error.ts'
import { kernelErrors } from '../../kernel/errors/kernel-errors.ts'
import type { Origin } from '../../kernel/lib/call-context.ts'
import { type Clock, timestamp } from '../../kernel/lib/clock.ts'
import { LEAST_ID } from '../../kernel/lib/ids.ts'
import { jsonText, pagesOf } from '../../kernel/lib/json-text.ts'
import type { Outbox } from '../../kernel/mail/outbox.ts'
import type { AuditEvent } from '../audit/audit.schemas.ts'
import type { Audit } from '../audit/audit.service.ts'
import type { OneTimeTokens } from '../credentials/one-time-tokens.service.ts'
import { rateLimitsErrors } from '../rate-limits/rate-limits.errors.ts'
import type { RateLimits } from '../rate-limits/rate-limits.service.ts'
import type { Identity, Sessions } from '../sessions/sessions.service.ts'
import type { Users } from '../users/users.service.ts'
import type { Export } from './account.schemas.ts'

interface Parts {
  database: Database
  clock: Clock
  users: Users
  sessions: Sessions
  audit: Audit
  rateLimits: RateLimits
  oneTimeTokens: OneTimeTokens
  outbox: Outbox
}

/** So many rows are in memory of each export that runs, and so many run at once in a process. */
const EXPORT_PAGE_ROWS = 200
const MAX_EXPORTS_AT_ONCE = 8

/** All that is stored of a person, for the person (GDPR, articles 15 and 20). */
export function createExports({ database, clock, users, sessions, audit, rateLimits, oneTimeTokens, outbox }: Parts) {
  const running = new Set<string>()

  /** The members of the file in their order; what grows with a person's history comes in pages. */
  function members(caller: Identity) {
    const { id, session_id } = caller
    const pages = <R extends { id: string }>(query: (after: string, limit: number) => Promise<R[]>) =>
      pagesOf(LEAST_ID, EXPORT_PAGE_ROWS, query)
    return {
      exported_at: timestamp(clock.now()),
      user: users.toUser(caller),
      delete_after: caller.delete_after,
      sessions: pages((after, limit) => sessions.history(id, session_id, after, limit)),
      known_devices: onePage(() => rateLimits.devicesOf(id)),
      audit_events: mapPages(
        pages((after, limit) => audit.about(id, after, limit)),
        (event) => withoutOthers(event, id),
      ),
      links: onePage(() => oneTimeTokens.pending(id)),
      mails: mapPages(
        pages((after, limit) => outbox.to(id, after, limit)),
        ({ id: _, ...mail }) => mail,
      ),
    } satisfies Record<keyof Export, unknown>
  }

  return {
    /**
     * One JSON file. Its pieces are read from the database as the stream is read, and an error destroys it. Throws AppError
     * `rate_limited` while another export of the same person runs, `overloaded` while many of others do.
     */
    async of(caller: Identity, origin: Origin): Promise<Readable> {
      if (running.has(caller.id))
        throw new AppError(rateLimitsErrors.rate_limited, {
          retryAfter: 5,
          detail: 'Another export of this account is still running.',
        })
      if (running.size >= MAX_EXPORTS_AT_ONCE)
        throw new AppError(kernelErrors.overloaded, { retryAfter: 5, detail: 'Too many exports are running.' })
      running.add(caller.id)
      const end = () => running.delete(caller.id)
      try {
        await audit.record(database.db, origin, { action: 'account.exported', target: caller.id })
        return Readable.from(jsonText(members(caller)), { objectMode: false }).once('close', end)
      } catch (error) {
        end()
        throw error
      }
    },
  }
}

async function* onePage<R>(query: () => Promise<R[]>): AsyncGenerator<R[], void, void> {
  yield await query()
}

async function* mapPages<R, S>(pages: AsyncIterable<R[]>, map: (row: R) => S): AsyncGenerator<S[], void, void> {
  for await (const page of pages) yield page.map(map)
}

/** Where an administrator was when they did something is no data of whom they did it to (GDPR, article 15, 4). */
const withoutOthers = (event: AuditEvent, userId: string): AuditEvent =>
  event.actor_type === 'user' && event.actor_id !== userId
    ? { ...event, session_id: null, request_id: null, ip: null, user_agent: null }
    : event

export type Exports = ReturnType<typeof createExports>
