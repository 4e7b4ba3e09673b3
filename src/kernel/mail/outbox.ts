import { type Clock, DAY, HOUR, MINUTE, SECOND, timestamp } from '../clock.ts'
import type { Database, Db } from '../db/database.ts'
import type { Locale } from '../i18n.ts'
import { newId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { Sealer } from '../sealing.ts'
import * as store from './outbox.store.ts'
import type { RenderedMail } from './render.ts'
import type { Transport } from './transport.ts'

/** How long to wait after each try that failed; after the last of these, an hour each time, until it is given up. */
const DELAYS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE]
const GIVEN_UP_AFTER = 3 * DAY
/** Longer than any delivery may take: the transport's time-outs end one sooner. */
const CLAIM = 2 * MINUTE
const BATCH = 10
/** How often an instance looks for mails that another one has left. */
const IDLE = 10 * SECOND

/** How long it is known that a mail was sent. */
const KEPT = 90 * DAY

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
    setTimeout(wake, 20).unref() // by then the transaction has ended; if not, the next look finds it
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
      .catch((err) => log.warn({ err }, 'the outbox could not be read'))
      .finally(() => {
        running = null
        if (stopped) return
        timer = setTimeout(wake, again ? 50 : IDLE)
        again = false
      })
  }

  async function sendDue(): Promise<void> {
    for (;;) {
      const now = clock.now()
      const due = await store.claimDue(database.db, timestamp(now), timestamp(now + CLAIM), BATCH)
      await Promise.all(due.map(send))
      if (stopped || due.length < BATCH) return
    }
  }

  async function send(row: store.OutboxRow): Promise<void> {
    try {
      const data = row.payload === null ? null : sealer.open(row.payload, row.id)
      if (data === null) throw new Error('the mail was sealed with a secret that is no longer in APP_SECRET')
      const { subject, text, html } = render(row.kind, row.locale, JSON.parse(data))
      await transport.send({ id: row.id, kind: row.kind, to: row.recipient, subject, text, html })
      await store.markSent(database.db, row.id, timestamp(clock.now()))
      log.info({ mail: row.kind, mail_id: row.id, user_id: row.user_id, tries: row.tries }, 'mail sent')
    } catch (err) {
      const now = clock.now()
      const delay = DELAYS[row.tries - 1] ?? HOUR
      const isLost = now - Date.parse(row.created_at) > GIVEN_UP_AFTER
      const next = isLost ? { failed_at: timestamp(now) } : { next_try_at: timestamp(now + delay) }
      log.warn(
        { err, mail: row.kind, mail_id: row.id, tries: row.tries, ...next },
        isLost ? 'mail given up' : 'mail not sent yet',
      )
      await store.markFailed(database.db, row.id, next, (err as Error).message)
    }
  }

  return {
    put,
    wake,
    /** Mails to a person, sent or waiting, without what they say. */
    to: (userId: string) => store.mailsOf(database.db, userId),
    /** Deletes up to `limit` mails that were done with long ago. Returns how many. */
    purge: (limit: number) => store.deleteMailsBefore(database.db, timestamp(clock.now() - KEPT), limit),
    start(): void {
      stopped = false
      wake()
    },
    /** Lets what is being sent finish. */
    async stop(): Promise<void> {
      stopped = true
      clearTimeout(timer)
      await running
      transport.close()
    },
  }
}

export type Outbox = ReturnType<typeof createOutbox>
