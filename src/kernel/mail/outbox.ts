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

/** How long to wait after each try that failed; after the last of these, an hour each time, until it is given up. */
const RETRY_DELAYS_MS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE]
const GIVE_UP_MS = 3 * DAY
/** The longest that a delivery may take, and that it may still take once the service is told to stop. */
const DELIVERY_MS = MINUTE
const LAST_DELIVERY_MS = 3 * SECOND
/** Longer than a delivery, and the tries to write down what became of it, can take. */
const CLAIM_MS = 2 * MINUTE
/** The waits between those tries. */
const WRITE_RETRY_DELAYS_MS = [1, 2, 4, 8, 16].map((seconds) => seconds * SECOND)
const BATCH_SIZE = 10
/** How often an instance looks for mails that another one has left. */
const POLL_INTERVAL_MS = 10 * SECOND

/**
 * When a mail that was put in is looked for, in ms: its transaction has ended by then, and its request is answered, so that
 * the work of sending does not tell by the time of the answer that there is a mail. If not, the next look finds it.
 */
const WAKE_DELAY_MS = 100

/** How long it is known that a mail was sent. */
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
 * Mails wait in the database: they are put there in the transaction of what causes them, and a worker in each instance
 * sends what is due. A crash or a dead mail server loses none. One that was handed over in the moment of a crash may go
 * out twice, under the same Message-ID: no protocol can exclude that.
 */
export function createOutbox({ database, clock, log, sealer, transport, render }: Parts) {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | null = null
  let again = false
  let stopped = true
  const leaving = new AbortController()

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
    again = true
    setTimeout(guarded(log, 'outbox', wake), WAKE_DELAY_MS).unref()
  }

  /** Looks for due mails now instead of later. */
  function wake(): void {
    if (stopped) return
    if (running) {
      again = true
      return
    }
    clearTimeout(timer)
    running = sendDue()
      .catch((err) => log.warn({ err }, 'failed to read the outbox'))
      .finally(() => {
        running = null
        if (stopped) return
        timer = setTimeout(guarded(log, 'outbox', wake), again ? 50 : POLL_INTERVAL_MS)
        again = false
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
      await handOver(row)
    } catch (err) {
      return postpone(row, err as Error)
    }
    await insist(() => store.markSent(database.db, row, timestamp(clock.now())))
    log.info({ mail: row.kind, mail_id: row.id, user_id: row.user_id, tries: row.tries }, 'e-mail sent')
  }

  async function handOver(row: store.OutboxRow): Promise<void> {
    const data = row.payload === null ? null : sealer.open(row.payload, row.id)
    if (data === null) throw new Error('the e-mail is encrypted with a secret that is no longer in APP_SECRET')
    const { subject, text, html } = render(row.kind, row.locale, JSON.parse(data))
    const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(DELIVERY_MS)])
    await transport.send({ id: row.id, kind: row.kind, to: row.recipient, subject, text, html }, signal)
  }

  async function postpone(row: store.OutboxRow, err: Error): Promise<void> {
    const now = clock.now()
    const delay = RETRY_DELAYS_MS[row.tries - 1] ?? HOUR
    const isLost = now - Date.parse(row.created_at) > GIVE_UP_MS
    const next = isLost ? { failed_at: timestamp(now) } : { next_try_at: timestamp(now + delay) }
    await insist(() => store.markFailed(database.db, row.id, next, err.message))
    log.warn(
      { err, mail: row.kind, mail_id: row.id, tries: row.tries, ...next },
      isLost ? 'e-mail not sent: giving up' : 'e-mail not sent: will retry',
    )
  }

  /** A database that is away for a moment must not make a mail go out twice. */
  async function insist(write: () => Promise<unknown>): Promise<void> {
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

  /** Lets what is being sent finish, unless the mail server takes its time: then it is sent after the next start. */
  async function stop(): Promise<void> {
    stopped = true
    clearTimeout(timer)
    const patience = setTimeout(() => leaving.abort(new Error('the service is stopping')), LAST_DELIVERY_MS)
    await running
    clearTimeout(patience)
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
