import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { simpleParser } from 'mailparser'
import { type Client, createClient, newAddress, PASSWORD, signUp } from '../faults/support/client.ts'
import { SETTINGS, until } from '../faults/support/fault.ts'
import { postgresQuery, sqliteQuery } from '../faults/support/ledger.ts'
import { ADMINISTRATOR, createAdministrator } from '../support/administrator.ts'
import { createDatabase, dropDatabase } from '../support/postgres.ts'
import { type ServerProcess, startServer } from '../support/processes.ts'

/** One thing that somebody tries, and what must hold; it throws an AssertionError where that does not. */
export interface Attack {
  name: string
  /** The fault that it was written for: a number of issue 7. */
  point: number
  /** What holds, as a sentence. */
  title: string
  /** Part of the fast run, for `npm test`. */
  quick: boolean
  /** Settings that it needs of its own; attacks without any share a server. */
  env?: Record<string, string>
  run(target: Target): Promise<void>
}

export type Engine = 'sqlite' | 'postgres'
export type Person = Awaited<ReturnType<typeof signUp>>
export type Target = Awaited<ReturnType<typeof startTarget>>

/** A server process with an administrator, over a database of its own, and what an attacker has. */
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
    /** Asks the database itself. */
    query,
    /** Changes the database itself. */
    async execute(sql: string): Promise<void> {
      if (database) return void (await query(sql))
      const file = new BetterSqlite(join(folder, 'bukhindor.db'))
      file.exec(sql)
      file.close()
    },
    /** Somebody new, signed in. */
    newPerson: (): Promise<Person> => signUp(client, `victim-${++people}-${process.pid}@example.org`),
    async administrator(): Promise<Person> {
      const { status, body } = await client.login(ADMINISTRATOR.email, ADMINISTRATOR.password)
      assert.equal(status, 200, JSON.stringify(body))
      return body.user
    },
    /** The text of the mails that somebody has got, once there are `count` of a kind. */
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
      return mails.filter((mail) => JSON.stringify(mail.to).includes(email)).map(({ text }) => text ?? '')
    },
    /** Whether the process is still the one that was started, and answers. */
    async requireAlive(): Promise<void> {
      const { status } = await client.get('/health/live')
      assert.equal(status, 200, `the process is gone:\n${server.output().slice(-2000)}`)
    },
    /** A connection on which anything can be sent. */
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

/** A request whose body is held back: `finish` sends it, and gives the answer. */
export function holdBody(target: Target, method: string, path: string, token: string, body: unknown) {
  const text = JSON.stringify(body)
  const socket = target.socket()
  let answer = ''
  socket.setEncoding('utf8').on('data', (chunk) => {
    answer += chunk
  })
  socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nX-Forwarded-For: ${newAddress()}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text[0]}`,
  )
  return {
    async finish(): Promise<{ status: number; text: string }> {
      socket.write(text.slice(1))
      await new Promise((resolve) => socket.once('close', resolve))
      return { status: Number(answer.split(' ', 2)[1] ?? 0), text: answer }
    },
  }
}

export { newAddress, PASSWORD, until }
