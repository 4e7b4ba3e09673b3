import { setTimeout as pause } from 'node:timers/promises'
import type { Sealer } from '../crypto/sealer.ts'
import type { Database, Db } from '../db/database.ts'
import type { Locale } from '../i18n/locale.ts'
import { type Clock, DAY, HOUR, MINUTE, SECOND, timestamp } from '../lib/clock.ts'
import type { Declaration } from '../lib/declaration.ts'
import { guarded } from '../lib/guarded.ts'
import { newId } from '../lib/ids.ts'
import { pagesOf } from '../lib/json-text.ts'
import type { Log } from '../log/log.ts'
import { SentMails } from './outbox.schemas.ts'
import * as store from './outbox.store.ts'
import type { RenderedMail } from './render.ts'
import type { Transport } from './transport.ts'

/** Delays after failed tries; further ones wait an hour each, until GIVE_UP_MS. */
const RETRY_DELAYS_MS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE]
const GIVE_UP_MS = 3 * DAY
/** How long a delivery may take, and how long it may still take at shutdown. */
const DELIVERY_MS = MINUTE
const LAST_DELIVERY_MS = 3 * SECOND
/** Longer than a delivery and the retries of writing its result. */
const CLAIM_MS = 2 * MINUTE
/** Delays between those retries. */
const WRITE_RETRY_DELAYS_MS = [1, 2, 4, 8, 16].map((seconds) => seconds * SECOND)
const BATCH_SIZE = 10
/** How often an instance checks for due e-mails, including those of other instances. */
const POLL_INTERVAL_MS = 10 * SECOND

/**
 * Delay between queueing an e-mail and sending it, in ms. By then its transaction has usually ended and the request is
 * answered, so that sending does not affect the response time and reveal that an account exists.
 */
const WAKE_DELAY_MS = 100

/** How long sent and failed e-mails are kept, without their content. */
const MAIL_RETENTION_MS = 90 * DAY

export interface Mail {
  kind: string
  locale: Locale
  to: string
  userId: string | null
  data: unknown
}

interface Parts {
  database: Database
  clock: Clock
  log: Log
  sealer: Sealer
  transport: Transport
  render: (kind: string, locale: Locale, data: unknown) => RenderedMail
}

/**
 * Transactional outbox: `put` queues an e-mail in the transaction that causes it, and each instance sends due e-mails.
 * If a process crashes during a delivery, the e-mail may be sent twice, with the same Message-ID.
 */
export function createOutbox({ database, clock, log, sealer, transport, render }: Parts) {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | null = null
  let isWakePending = false
  let stopped = true
  const stopping = new AbortController()

  async function put(trx: Db, { kind, locale, to, userId, data }: Mail): Promise<void> {
    const now = timestamp(clock.now())
    const id = newId(clock.now())
    await store.insertMail(trx, {
      id,
      user_id: userId,
      kind,
      locale,
      recipient: to,
      payload: sealer.seal(JSON.stringify(data), id),
      created_at: now,
      next_try_at: now,
      tries: 0,
      claimed_until: now,
      sent_at: null,
      failed_at: null,
      last_error: null,
    })
    isWakePending = true
    setTimeout(guarded(log, 'outbox', wake), WAKE_DELAY_MS).unref()
  }

  /** Sends due e-mails now instead of at the next poll. */
  function wake(): void {
    if (stopped) return
    if (running) {
      isWakePending = true
      return
    }
    clearTimeout(timer)
    running = sendDue()
      .catch((err) => log.warn({ err }, 'failed to read the outbox'))
      .finally(() => {
        running = null
        if (stopped) return
        timer = setTimeout(guarded(log, 'outbox', wake), isWakePending ? 50 : POLL_INTERVAL_MS)
        isWakePending = false
      })
  }

  async function sendDue(): Promise<void> {
    for (;;) {
      const now = clock.now()
      const due = await store.claimDue(database.db, timestamp(now), timestamp(now + CLAIM_MS), BATCH_SIZE)
      for (const result of await Promise.allSettled(due.map(send)))
        if (result.status === 'rejected') log.error({ err: result.reason }, 'failed to write to the outbox')
      if (stopped || due.length < BATCH_SIZE) return
    }
  }

  async function send(row: store.OutboxRow): Promise<void> {
    try {
      await deliver(row)
    } catch (err) {
      return postpone(row, err as Error)
    }
    await writeWithRetries(() => store.markSent(database.db, row, timestamp(clock.now())))
    log.info({ mail: row.kind, mail_id: row.id, user_id: row.user_id, tries: row.tries }, 'e-mail sent')
  }

  async function deliver(row: store.OutboxRow): Promise<void> {
    const data = row.payload === null ? null : sealer.open(row.payload, row.id)
    if (data === null) throw new Error('the e-mail is encrypted with a secret that is no longer in APP_SECRET')
    const { subject, text, html } = render(row.kind, row.locale, JSON.parse(data))
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(DELIVERY_MS)])
    await transport.send({ id: row.id, kind: row.kind, to: row.recipient, subject, text, html }, signal)
  }

  async function postpone(row: store.OutboxRow, err: Error): Promise<void> {
    const now = clock.now()
    const delay = RETRY_DELAYS_MS[row.tries - 1] ?? HOUR
    const givesUp = now - Date.parse(row.created_at) > GIVE_UP_MS
    const next = givesUp ? { failed_at: timestamp(now) } : { next_try_at: timestamp(now + delay) }
    await writeWithRetries(() => store.markFailed(database.db, row.id, next, err.message))
    log.warn(
      { err, mail: row.kind, mail_id: row.id, tries: row.tries, ...next },
      givesUp ? 'e-mail not sent: giving up' : 'e-mail not sent: will retry',
    )
  }

  /** Retries, so that a database that is briefly unavailable does not cause an e-mail to be sent twice. */
  async function writeWithRetries(write: () => Promise<unknown>): Promise<void> {
    for (const wait of WRITE_RETRY_DELAYS_MS)
      try {
        await write()
        return
      } catch (error) {
        if (stopped) throw error
        await pause(wait, undefined, { ref: false })
      }
    await write()
  }

  const declares: Declaration = {
    retention: {
      outbox: (limit) => store.deleteMailsBefore(database.db, timestamp(clock.now() - MAIL_RETENTION_MS), limit),
    },
    personalData: {
      mails: {
        schema: SentMails,
        pages: async function* ({ id }) {
          for await (const page of pagesOf((after, limit) => store.mailsOf(database.reads, id, after, limit)))
            yield page.map(({ id: _, ...mail }) => mail)
        },
      },
    },
  }

  function start(): void {
    stopped = false
    wake()
  }

  /** Waits up to LAST_DELIVERY_MS for running deliveries, then aborts them: they are sent after the next start. */
  async function stop(): Promise<void> {
    stopped = true
    clearTimeout(timer)
    const abortTimer = setTimeout(() => stopping.abort(new Error('the service is stopping')), LAST_DELIVERY_MS)
    await running
    clearTimeout(abortTimer)
    transport.close()
  }

  return {
    put,
    wake,
    declares,
    start,
    stop,
  }
}

export type Outbox = ReturnType<typeof createOutbox>
