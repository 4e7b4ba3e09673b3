import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { sql } from 'kysely'
import { timestamp } from '../lib/clock.ts'
import { type Database, type Db, type Engine, engineOf } from './database.ts'
import { DatabaseError } from './errors.ts'
import { columnsOf, type Loss, lossesBetween } from './losses.ts'
import { requireNoInstance } from './running.ts'

/** A migration file. `up` and `down` each run in a transaction. */
export interface Migration {
  /**
   * The oldest schema version whose program can also run after this migration, because it does not use what the
   * migration changes or drops. Without it, no older program starts on the database.
   */
  compatibleFrom?: number
  up(db: Db, types: ColumnTypes): Promise<void>
  down(db: Db, types: ColumnTypes): Promise<void>
}

/** Column types that differ between the engines. */
export interface ColumnTypes {
  engine: Engine
  id: string
  time: string
  flag: string
  /** Text that is compared and sorted by bytes. */
  key: string
  /** The options at the end of CREATE TABLE. */
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
  /** False for a migration of a newer, compatible version. */
  is_known: boolean
}

/** The migration that `migrate down` would roll back, and what that deletes. */
export interface RollbackPreview {
  version: number
  name: string
  losses: Loss[]
}

const FOLDER = new URL('../../migrations/', import.meta.url)
/** An arbitrary number, unlikely to be used by other programs on the same database. */
const ADVISORY_LOCK = 7_206_514_203

interface MigrationFile extends Migration {
  version: number
  name: string
  checksum: string
}

async function readMigrations(): Promise<MigrationFile[]> {
  const names = readdirSync(FOLDER).filter((file) => /^\d{4}_[a-z_]+\.ts$/.test(file))
  return Promise.all(
    names.sort().map(async (file) => {
      const url = new URL(file, FOLDER)
      const text = readFileSync(url, 'utf8').replaceAll('\r\n', '\n')
      // The checksum ignores where `kernel/db/` is: early migrations were applied from inside it.
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

async function readApplied(db: Db) {
  // Checked first, so that a database role without the permission to create tables is sufficient (ASVS 13.2.2).
  const { rows } = await (engineOf(db) === 'postgres'
    ? sql<{ name: string | null }>`select to_regclass('schema_migrations') as name`
    : sql<{ name: string | null }>`select name from sqlite_master where name = 'schema_migrations'`
  ).execute(db)
  if (!rows[0]?.name)
    await sql`create table if not exists schema_migrations (
      version integer primary key, name text not null, checksum text not null, applied_at text not null)`.execute(db)
  return db.selectFrom('schema_migrations').selectAll().orderBy('version').execute()
}

/** Compares applied migrations with those of this version. Throws DatabaseError if they are incompatible or changed. */
async function compare(db: Db) {
  const [known, done] = [await readMigrations(), await readApplied(db)]
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

/** Whether a migration of a newer version allows a program whose newest migration is `newest`. */
const isCompatible = (row: { version: number; compatible_from?: number | null }, newest: number): boolean =>
  row.version > newest && typeof row.compatible_from === 'number' && row.compatible_from <= newest

/** Returns all migrations and when each was applied. Throws DatabaseError if applied ones are incompatible or changed. */
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
 * Applies pending migrations up to version `to`, each in a transaction. Processes that run it at the same time wait for
 * each other. Returns the names of the applied ones.
 */
export async function migrateUp(database: Database, to = Number.POSITIVE_INFINITY): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const name = await inLockedTransaction(database, async (trx, { pending, newer }) => {
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
        .values((await hasCompatibleFrom(trx)) ? { ...row, compatible_from: compatibleFrom } : row)
        .execute()
      return name
    })
    if (!name) return names
    names.push(name)
  }
}

/** Returns what a rollback of the latest migration would delete, determined in a transaction that is rolled back. */
export async function previewDown(database: Database): Promise<RollbackPreview | null> {
  const before = await columnsOf(database.db)
  const preview = await inLockedTransaction(database, async (trx, state) => {
    const reverted = await revertLatest(trx, database.engine, state)
    throw new PreviewResult(reverted, await columnsOf(trx))
  }).catch((error) => {
    if (error instanceof PreviewResult) return error
    throw error
  })
  const { reverted, after } = preview
  return reverted && { ...reverted, losses: await lossesBetween(database.db, before, after) }
}

class PreviewResult extends Error {
  readonly reverted: { version: number; name: string } | null
  readonly after: Awaited<ReturnType<typeof columnsOf>>

  constructor(reverted: PreviewResult['reverted'], after: PreviewResult['after']) {
    super('rolled back')
    this.reverted = reverted
    this.after = after
  }
}

/**
 * Rolls back the latest migration. Returns its name, or null if none is applied. Throws DatabaseError while an instance
 * is running, or if the migration is from a newer version.
 */
export async function migrateDown(database: Database): Promise<string | null> {
  const reverted = await inLockedTransaction(database, (trx, state) => revertLatest(trx, database.engine, state))
  return reverted?.name ?? null
}

async function revertLatest(trx: Db, engine: Engine, { known, done }: State) {
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

/** Runs `work` in a transaction under the lock of migrations. Throws DatabaseError if migrations are pending. */
export async function withSchema(database: Database, work: (trx: Db) => Promise<void>): Promise<void> {
  await inLockedTransaction(database, async (trx, { pending }) => {
    requireNonePending(pending)
    await work(trx)
  })
}

/** Throws DatabaseError that names the pending migrations, if there are any. */
export function requireNonePending(pending: { name: string }[]): void {
  if (pending.length)
    throw new DatabaseError(
      `the database schema is not up to date: ${pending.map(({ name }) => name).join(', ')} pending. Run "bukhindor migrate up" first`,
    )
}

/** Whether the column `compatible_from` exists, which a migration added. */
async function hasCompatibleFrom(trx: Db): Promise<boolean> {
  const columns = await columnsOf(trx)
  return columns.some(({ table, column }) => table === 'schema_migrations' && column === 'compatible_from')
}

/** Runs a transaction that excludes other migrators: by an advisory lock in PostgreSQL, BEGIN IMMEDIATE in SQLite. */
function inLockedTransaction<T>(database: Database, work: (trx: Db, state: State) => Promise<T>): Promise<T> {
  return database.transaction(async (trx) => {
    if (database.engine === 'postgres') {
      // Waiting for another instance and building large indexes may take longer than a request.
      await sql`set local lock_timeout = '10min'`.execute(trx)
      await sql`set local statement_timeout = '60min'`.execute(trx)
      await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)})`.execute(trx)
    }
    return work(trx, await compare(trx))
  })
}
