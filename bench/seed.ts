// Fills a migrated database with people, straight by SQL: the same ones on both engines and in every run.
import { join } from 'node:path'
import Database from 'better-sqlite3'
import pg from 'pg'
import { emailKey, fold, searchText } from '../src/modules/users/normalization.ts'
import { NEVER } from '../src/modules/users/users.tables.ts'
import type { Data } from './lib/bench.ts'
import { cyrillic, latin, transliterate } from './lib/names.ts'

const DAY = 86_400_000
const FIRST_DAY = Date.UTC(2023, 0, 1)
const YEARS = 3 * 365 * DAY
const BATCH = 10_000

/** The parameters of argon2id with no password behind it: of the right size, of no use for signing in. */
const HASH = `$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2E$${'A'.repeat(43)}`

/** One row of `users`; its columns are those of `src/modules/users/users.tables.ts`. */
export function person(index: number, of: number) {
  const random = randomFrom(index)
  const names = random() < 0.5 ? cyrillic : latin
  const pick = (list: string[]) => list[Math.floor(random() * list.length)] as string
  const [first, last] = [pick(names.first), pick(names.last)]
  const name = `${first} ${last}`
  const email = `${transliterate(first)}.${transliterate(last)}${index}@${pick(['example.com', 'mail.example', 'example.org'])}`
  const created = FIRST_DAY + Math.floor((index / of) * YEARS)
  const seen = random() < 0.8 ? created + random() * (FIRST_DAY + YEARS - created) : undefined
  return {
    id: id(created, index, random),
    email,
    email_key: emailKey(email),
    name,
    name_key: fold(name),
    search_text: searchText(email, name),
    password_hash: HASH,
    role: index % 1000 === 0 ? 'admin' : 'user',
    is_active: random() < 0.97,
    email_verified: random() < 0.9,
    locale: names === cyrillic ? 'ru' : 'en',
    version: 1,
    created_at: new Date(created).toISOString(),
    updated_at: new Date(created).toISOString(),
    last_login_at: seen === undefined ? NEVER : new Date(seen).toISOString(),
  }
}

/** Adds `count` people to the migrated database of `data`. */
export async function seed(data: Data, count: number): Promise<void> {
  await (data.engine === 'sqlite' ? seedSqlite(data, count) : seedPostgres(data, count))
}

/** A part of the schema and what makes it. */
type Named = { name: string; sql: string }

async function seedSqlite({ env }: Data, count: number): Promise<void> {
  const database = new Database(join(env.DATA_DIR as string, 'bukhindor.db'))
  database.pragma('synchronous = OFF')
  database.pragma('cache_size = -262144')
  const columns = Object.keys(person(0, 1))
  const insert = database.prepare(
    `INSERT INTO users (${columns.join(', ')}) VALUES (${columns.map((column) => `@${column}`).join(', ')})`,
  )
  const insertBatch = database.transaction((from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const { is_active, email_verified, ...rest } = person(index, count)
      insert.run({ ...rest, is_active: Number(is_active), email_verified: Number(email_verified) })
    }
  })
  // The full-text index is built at the end in one go: row by row, by its triggers, takes ten times as long.
  const triggers = database.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all() as Named[]
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`)
  for (let from = 0; from < count; from += BATCH) insertBatch(from, Math.min(count, from + BATCH))
  database.exec("INSERT INTO users_search (users_search) VALUES ('rebuild')")
  for (const { sql } of triggers) database.exec(sql)
  database.exec('ANALYZE')
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
}

async function seedPostgres({ env }: Data, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: env.DATABASE_URL })
  await client.connect()
  try {
    await client.query("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
    const indexes = await client.query<Named>(
      "SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE tablename = 'users' AND indexdef LIKE '%USING gin%'",
    )
    for (const { name } of indexes.rows) await client.query(`DROP INDEX ${name}`)
    const columns = Object.keys(person(0, 1)).join(', ')
    const text = `INSERT INTO users (${columns}) SELECT ${columns} FROM json_populate_recordset(null::users, $1)`
    for (let from = 0; from < count; from += BATCH) {
      const length = Math.min(count, from + BATCH) - from
      const rows = Array.from({ length }, (_, offset) => person(from + offset, count))
      await client.query({ name: 'seed', text, values: [JSON.stringify(rows)] })
    }
    for (const { sql } of indexes.rows) await client.query(sql)
    await client.query('VACUUM ANALYZE users')
  } finally {
    await client.end()
  }
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A UUIDv7 of that moment, which differs for each index. */
function id(milliseconds: number, index: number, random: () => number): string {
  const time = milliseconds.toString(16).padStart(12, '0')
  const hex = (bits: number) =>
    Math.floor(random() * 2 ** bits)
      .toString(16)
      .padStart(bits / 4, '0')
  const unique = index.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(12)}-a${hex(12)}-${unique}`
}
