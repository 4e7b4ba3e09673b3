import { setTimeout as pause } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import pg from 'pg'
import { type Answer, createClient } from '../../support/process-client.ts'

/**
 * Writes continuously to a service that may die at any moment, and records what was acknowledged: registrations,
 * each sent again with its `Idempotency-Key` until it is answered for good, and a name with a number that only grows.
 */
export function startLedger(url: string, name: string, writers = 3) {
  const client = createClient(url, { timeout: 10_000 })
  const registered: string[] = []
  const answers: Answer[] = []
  let isStopped = false
  let count = 0

  async function write(): Promise<void> {
    while (!isStopped) {
      const email = `${name}-${++count}@example.org`
      const headers = { 'idempotency-key': email }
      for (;;) {
        const answer = await client.register({ email }, { headers: headers })
        answers.push(answer)
        if (answer.status === 201) registered.push(email)
        const isFinal = answer.status > 0 && answer.status < 500 && !answer.headers['retry-after']
        if (isFinal || isStopped) break
        await pause(50)
      }
    }
  }
  const running = Array.from({ length: writers }, write)
  return {
    registered,
    answers,
    async stop(): Promise<void> {
      isStopped = true
      await Promise.all(running)
      client.close()
    },
  }
}

/** The differences between the ledger and the database: acknowledged and lost, duplicated, or partly written. */
export interface Audit {
  lost: number
  doubled: number
  half: number
  users: number
}

type Query = (sql: string) => Promise<Record<string, unknown>[]>

/** Compares the ledger with the database. A complete registration has its audit event and its email. */
export async function auditLedger(query: Query, acknowledged: string[]): Promise<Audit> {
  const users = (await query('select id, email from users')) as { id: string; email: string }[]
  const events = await query("select target_id as id from audit_events where action = 'user.registered'")
  const mails = await query("select user_id as id from outbox where kind = 'verify_email'")
  const emails = new Map<string, number>()
  for (const { email } of users) emails.set(email, (emails.get(email) ?? 0) + 1)
  const [witnessed, written] = [events, mails].map((rows) => new Set(rows.map(({ id }) => id)))
  return {
    lost: acknowledged.filter((email) => !emails.has(email)).length,
    doubled: [...emails.values()].filter((count) => count > 1).length,
    half: users.filter(({ id }) => !witnessed?.has(id) || !written?.has(id)).length,
    users: users.length,
  }
}

export const sqliteQuery =
  (file: string): Query =>
  async (sql) => {
    const database = new BetterSqlite(file, { readonly: true })
    try {
      return database.prepare(sql).all() as Record<string, unknown>[]
    } finally {
      database.close()
    }
  }

export const postgresQuery =
  (url: string): Query =>
  async (sql) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query(sql)).rows
    } finally {
      await client.end()
    }
  }
