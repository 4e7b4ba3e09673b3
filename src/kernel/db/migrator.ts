import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { sql } from 'kysely'
import { timestamp } from '../lib/clock.ts'
import { type Database, type Db, type Engine, engineOf } from './database.ts'
import { DatabaseError } from './errors.ts'
import { columnsOf, type Loss, lossesBetween } from './losses.ts'
import { requireNoInstance } from './running.ts'

/** One step of the schema. Both run in a transaction of their own. */
export interface Migration {
  /**
   * The oldest version of the schema whose program may run on this one too: it reads and writes nothing that this step
   * takes away or changes. Without it an older program does not start on a database that has this step.
   */
  compatibleFrom?: number
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
  /** False for one of a newer version, with which this one may run. */
  is_known: boolean
}

/** What `migrate down` would do. */
export interface RollbackPreview {
  version: number
  name: string
  losses: Loss[]
}

const FOLDER = new URL('../../migrations/', import.meta.url)
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
      const text = readFileSync(url, 'utf8').replaceAll('\r\n', '\n')
      // Migrations lay in `kernel/db/` once: where the files of the kernel are is no part of what one does.
      const checksum = createHash('sha256').update(text.replaceAll("'../kernel/db/", "'../")).digest('hex')
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
  const newest = known.at(-1)?.version ?? 0
  for (const row of done) {
    const file = known.find(({ version }) => version === row.version)
    if (!file && !isCompatible(row, newest))
      throw new DatabaseError(
        `the database has migration ${row.version} (${row.name}) from a newer, incompatible version. Start the newer version, or restore a backup`,
      )
    if (file && file.checksum !== row.checksum)
      throw new DatabaseError(
        `migration ${row.version} (${row.name}) was changed after it was applied. Restore the file and create a new migration instead`,
      )
  }
  const pending = known.filter(({ version }) => !done.some((row) => row.version === version))
  return { known, done, pending, newer: done.filter(({ version }) => version > newest) }
}

type State = Awaited<ReturnType<typeof compare>>

/** Whether a migration of a newer version says that a program may run on it whose newest one is `newest`. */
const isCompatible = (row: { version: number; compatible_from?: number | null }, newest: number): boolean =>
  row.version > newest && typeof row.compatible_from === 'number' && row.compatible_from <= newest

/** Every migration, with the time when it was applied. Throws DatabaseError as `migrateUp` does. */
export async function migrationStatus(database: Database): Promise<MigrationState[]> {
  const { known, done, newer } = await compare(database.db)
  return [
    ...known.map(({ version, name }) => ({
      version,
      name,
      applied_at: done.find((row) => row.version === version)?.applied_at ?? null,
      is_known: true,
    })),
    ...newer.map(({ version, name, applied_at }) => ({ version, name, applied_at, is_known: false })),
  ]
}

/**
 * Applies what is missing, each migration in a transaction of its own. Of several processes that call it at once, one
 * works and the others wait. Returns the names of what was applied.
 */
export async function migrateUp(database: Database, to = Number.POSITIVE_INFINITY): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const name = await step(database, async (trx, { pending, newer }) => {
      const next = pending.find(({ version }) => version <= to)
      if (!next) return null
      if (newer[0])
        throw new DatabaseError(
          `migration ${next.version} (${next.name}) is missing, although the database has ${newer[0].version} (${newer[0].name}) from a newer version. Run "migrate up" of the newer version`,
        )
      await next.up(trx, TYPES[database.engine])
      const { version, name, checksum, compatibleFrom = null } = next
      const row = { version, name, checksum, applied_at: timestamp(Date.now()) }
      await trx
        .insertInto('schema_migrations')
        .values((await knowsCompatibility(trx)) ? { ...row, compatible_from: compatibleFrom } : row)
        .execute()
      return name
    })
    if (!name) return names
    names.push(name)
  }
}

/** What taking the newest migration back would take away, found by doing it in a transaction that is rolled back. */
export async function previewDown(database: Database): Promise<RollbackPreview | null> {
  const before = await columnsOf(database.db)
  const outcome = await step(database, async (trx, state) => {
    const reverted = await takeBack(trx, database.engine, state)
    throw new Rollback(reverted, await columnsOf(trx))
  }).catch((error) => {
    if (error instanceof Rollback) return error
    throw error
  })
  const { reverted, after } = outcome
  return reverted && { ...reverted, losses: await lossesBetween(database.db, before, after) }
}

class Rollback extends Error {
  readonly reverted: { version: number; name: string } | null
  readonly after: Awaited<ReturnType<typeof columnsOf>>

  constructor(reverted: Rollback['reverted'], after: Rollback['after']) {
    super('rolled back')
    this.reverted = reverted
    this.after = after
  }
}

/**
 * Takes the newest migration back. Returns its name, or null where none is applied. Throws DatabaseError while an
 * instance is running, or when it is of a newer version.
 */
export async function migrateDown(database: Database): Promise<string | null> {
  const reverted = await step(database, (trx, state) => takeBack(trx, database.engine, state))
  return reverted?.name ?? null
}

async function takeBack(trx: Db, engine: Engine, { known, done }: State) {
  const last = done.at(-1)
  if (!last) return null
  const file = known.find(({ version }) => version === last.version)
  if (!file)
    throw new DatabaseError(
      `migration ${last.version} (${last.name}) is from a newer version: only that version can roll it back`,
    )
  if ((await columnsOf(trx)).some(({ table }) => table === 'leases')) await requireNoInstance(trx)
  await file.down(trx, TYPES[engine])
  await trx.deleteFrom('schema_migrations').where('version', '=', last.version).execute()
  return { version: last.version, name: last.name }
}

/**
 * Runs `work` in a transaction while nobody migrates. Throws DatabaseError when something of the schema is missing that
 * this version needs.
 */
export async function withSchema(database: Database, work: (trx: Db) => Promise<void>): Promise<void> {
  await step(database, async (trx, { pending }) => {
    requireNonePending(pending)
    await work(trx)
  })
}

/** Throws DatabaseError naming what is missing of the schema. */
export function requireNonePending(pending: { name: string }[]): void {
  if (pending.length)
    throw new DatabaseError(
      `the database schema is not up to date: ${pending.map(({ name }) => name).join(', ')} pending. Run "bukhindor migrate up" first`,
    )
}

/** Whether the table of migrations has the column for it: it came with one of them. */
async function knowsCompatibility(trx: Db): Promise<boolean> {
  const columns = await columnsOf(trx)
  return columns.some(({ table, column }) => table === 'schema_migrations' && column === 'compatible_from')
}

/** One locked transaction: SQLite's own lock is taken by BEGIN IMMEDIATE, PostgreSQL's is advisory. */
function step<T>(database: Database, work: (trx: Db, state: State) => Promise<T>): Promise<T> {
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
