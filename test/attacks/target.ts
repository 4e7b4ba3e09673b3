import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { simpleParser } from 'mailparser'
import { SETTINGS } from '../faults/support/fault.ts'
import { postgresQuery, sqliteQuery } from '../faults/support/ledger.ts'
import { ADMINISTRATOR, createAdministrator } from '../support/administrator.ts'
import { requireStatus } from '../support/auth-calls.ts'
import { holdRequest } from '../support/held.ts'
import { createDatabase, dropDatabase } from '../support/postgres.ts'
import { type Client, createClient, newAddress, PASSWORD, signUp } from '../support/process-client.ts'
import { type ServerProcess, startServer } from '../support/processes.ts'
import { until } from '../support/until.ts'

/** An attack and the behavior that must hold; `run` throws an AssertionError otherwise. */
export interface Attack {
  name: string
  /** The expected behavior, as a sentence. */
  title: string
  /** Part of the fast run, for `npm test`. */
  quick: boolean
  /** The only engine to run on, for attacks that do not reach the database. */
  engine?: Engine
  /** Its own settings; attacks without any share a server. */
  env?: Record<string, string>
  run(target: Target): Promise<void>
}

export type Engine = 'sqlite' | 'postgres'
export type Person = Awaited<ReturnType<typeof signUp>>
export type Target = Awaited<ReturnType<typeof startTarget>>

/** A server process with an administrator and its own database, and the tools of an attacker. */
export async function startTarget(engine: Engine, more: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'bukhindor-attack-'))
  const cluster = process.env.TEST_POSTGRES_URL ?? ''
  const database = engine === 'postgres' ? await createDatabase(cluster) : null
  const env = { ...SETTINGS, DATA_DIR: folder, ...(database && { DATABASE_URL: database }), ...more }
  const server: ServerProcess = await startServer(env)
  await createAdministrator(env)
  const client: Client = createClient(server.url, { sockets: 100 })
  const query = database ? postgresQuery(database) : sqliteQuery(join(folder, 'bukhindor.db'))
  let people = 0

  return {
    engine,
    server,
    client,
    /** Queries the database directly. */
    query,
    /** Changes the database directly. */
    async execute(sql: string): Promise<void> {
      if (database) return void (await query(sql))
      const file = new BetterSqlite(join(folder, 'bukhindor.db'))
      file.exec(sql)
      file.close()
    },
    /** Registers a new user and signs in. */
    newPerson: (): Promise<Person> => signUp(client, `victim-${++people}-${process.pid}@example.org`),
    async administrator(): Promise<Person> {
      return requireStatus(200, await client.login(ADMINISTRATOR)).body.user
    },
    /** The text of the emails to an address, once there are `count` of a kind. */
    async mailsTo(email: string, kind: string, count = 1): Promise<string[]> {
      const files = await until(async () => {
        const sent = await query(
          `select 1 from outbox where recipient = '${email}' and kind = '${kind}' and sent_at is not null`,
        )
        return sent.length >= count && readdir(join(folder, 'mail'))
      })
      const mails = await Promise.all(
        files
          .filter((name) => name.includes(`-${kind}-`) && name.endsWith('.eml'))
          .map(async (name) => simpleParser(await readFile(join(folder, 'mail', name)))),
      )
      const texts = mails.filter((mail) => JSON.stringify(mail.to).includes(email)).map(({ text }) => text ?? '')
      assert.ok(texts.length >= count, `${texts.length} mails to ${email}`)
      return texts
    },
    /** Fails if the process does not answer any more. */
    async requireAlive(): Promise<void> {
      const { status } = await client.get('/health/live')
      assert.equal(status, 200, `the process is gone:\n${server.output().slice(-2000)}`)
    },
    /** Opens a raw connection. */
    socket(): Socket {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
      socket.on('error', () => {})
      return socket
    },
    async stop(): Promise<void> {
      client.close()
      await server.stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
      if (database) await dropDatabase(database)
    },
  }
}

/** Sends a request except for the last byte of its body. */
export const holdBody = (target: Target, method: string, path: string, token: string, body: unknown) =>
  holdRequest(target.server.url, method, path, {
    headers: { authorization: `Bearer ${token}`, 'x-forwarded-for': newAddress(), expect: '100-continue' },
    body,
  })

export { newAddress, PASSWORD, until }
