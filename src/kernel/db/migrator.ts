import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { sql } from 'kysely'
import { timestamp } from '../clock.ts'
import { type Database, type Db, type Engine, engineOf } from './database.ts'
import { DatabaseError } from './errors.ts'

/** One step of the schema. Both run in a transaction of their own. */
export interface Migration {
  up(db: Db, types: ColumnTypes): Promise<void>
  down(db: Db, types: ColumnTypes): Promise<void>
}

/** The column types in which the engines differ. */
export interface ColumnTypes {
  engine: Engine
  id: string
  time: string
  flag: string
  /** Text that is compared and sorted byte by byte. */
  key: string
  /** What ends a CREATE TABLE. */
  strict: string
}

const TYPES: Record<Engine, ColumnTypes> = {
  sqlite: { engine: 'sqlite', id: 'text', time: 'text', flag: 'integer', key: 'text', strict: 'strict' },
  postgres: {
    engine: 'postgres',
    id: 'uuid',
    time: 'timestamptz(3)',
    flag: 'boolean',
    key: 'text collate "C"',
    strict: '',
  },
}

export interface MigrationState {
  version: number
  name: string
  applied_at: string | null
}

const FOLDER = new URL('./migrations/', import.meta.url)
/** Any number that no other program uses on the same database. */
const ADVISORY_LOCK = 7_206_514_203

interface MigrationFile extends Migration {
  version: number
  name: string
  checksum: string
}

async function files(): Promise<MigrationFile[]> {
  const names = readdirSync(FOLDER).filter((file) => /^\d{4}_[a-z_]+\.ts$/.test(file))
  return Promise.all(
    names.sort().map(async (file) => {
      const url = new URL(file, FOLDER)
      const checksum = createHash('sha256').update(readFileSync(url, 'utf8').replaceAll('\r\n', '\n')).digest('hex')
      return {
        version: Number(file.slice(0, 4)),
        name: file.slice(5, -3),
        checksum,
        ...((await import(url.href)) as Migration),
      }
    }),
  )
}

async function applied(db: Db) {
  // Asked first: where it is there, a database role that may not make tables is enough (ASVS 13.2.2).
  const { rows } = await (engineOf(db) === 'postgres'
    ? sql<{ name: string | null }>`select to_regclass('schema_migrations') as name`
    : sql<{ name: string | null }>`select name from sqlite_master where name = 'schema_migrations'`
  ).execute(db)
  if (!rows[0]?.name)
    await sql`create table if not exists schema_migrations (
      version integer primary key, name text not null, checksum text not null, applied_at text not null)`.execute(db)
  return db.selectFrom('schema_migrations').selectAll().orderBy('version').execute()
}

/** What is applied, held against what this version ships. Throws DatabaseError when they do not belong together. */
async function compare(db: Db) {
  const [known, done] = [await files(), await applied(db)]
  for (const row of done) {
    const file = known.find(({ version }) => version === row.version)
    if (!file)
      throw new DatabaseError(
        `the database has migration ${row.version} (${row.name}), which this version does not know: it was made by a newer version. Start that one, or restore a backup`,
      )
    if (file.checksum !== row.checksum)
      throw new DatabaseError(
        `migration ${row.version} (${row.name}) was changed after it had been applied. Put the file back as it was, and make a new migration`,
      )
  }
  return { known, done }
}

/** Every migration, with the time when it was applied. Throws DatabaseError as `migrateUp` does. */
export async function migrationStatus(database: Database): Promise<MigrationState[]> {
  const { known, done } = await compare(database.db)
  return known.map(({ version, name }) => ({
    version,
    name,
    applied_at: done.find((row) => row.version === version)?.applied_at ?? null,
  }))
}

/**
 * Applies what is missing, each migration in a transaction of its own. Of several processes that call it at once, one
 * works and the others wait. Returns the names of what was applied.
 */
export async function migrateUp(database: Database, to = Number.POSITIVE_INFINITY): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const name = await step(database, async (trx, { known, done }) => {
      const next = known.find(({ version }) => version <= to && !done.some((row) => row.version === version))
      if (!next) return null
      await next.up(trx, TYPES[database.engine])
      const { version, name, checksum } = next
      await trx
        .insertInto('schema_migrations')
        .values({ version, name, checksum, applied_at: timestamp(Date.now()) })
        .execute()
      return name
    })
    if (!name) return names
    names.push(name)
  }
}

/** Takes the newest migration back. Returns its name, or null where none is applied. */
export async function migrateDown(database: Database): Promise<string | null> {
  return step(database, async (trx, { known, done }) => {
    const last = done.at(-1)
    const file = known.find(({ version }) => version === last?.version)
    if (!last || !file) return null
    await file.down(trx, TYPES[database.engine])
    await trx.deleteFrom('schema_migrations').where('version', '=', last.version).execute()
    return last.name
  })
}

/** One locked transaction: SQLite's own lock is taken by BEGIN IMMEDIATE, PostgreSQL's is advisory. */
function step<T>(
  database: Database,
  work: (trx: Db, state: Awaited<ReturnType<typeof compare>>) => Promise<T>,
): Promise<T> {
  return database.transaction(async (trx) => {
    if (database.engine === 'postgres') {
      // Waiting for another instance, and building an index on millions of rows, may take longer than a request may.
      await sql`set local lock_timeout = '10min'`.execute(trx)
      await sql`set local statement_timeout = '60min'`.execute(trx)
      await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)})`.execute(trx)
    }
    return work(trx, await compare(trx))
  })
}
