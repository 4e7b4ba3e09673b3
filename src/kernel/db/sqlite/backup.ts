import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { MIGRATION_DEADLINES } from '../../config/deadlines.ts'
import { makeFolder } from '../../lib/folders.ts'
import { DatabaseError } from '../errors.ts'
import { migrationStatus } from '../migrator.ts'
import { openSqlite } from './sqlite.ts'

const PAGES_PER_STEP = 1024
const LOCK_WAIT_MS = 1000
/** Disk space that a copy must leave free, since the service may write to the same disk. */
const RESERVED_BYTES = 64 * 2 ** 20

export interface BackupOptions {
  /** Overwrite an existing file. */
  force?: boolean
  /** Called after each step with the copied fraction, 0 to 1. */
  progress?: (part: number) => void
  /** Cancels the backup and removes its draft. */
  signal?: AbortSignal
}

/**
 * Copies a consistent snapshot of the SQLite database `file`, which may be in use, to `to` with mode 0600. The copy is
 * checked and synced before it gets its name, so that `to` is always a complete backup. Throws DatabaseError.
 */
export async function backupSqlite(file: string, to: string, { force = false, progress, signal }: BackupOptions = {}) {
  if (!existsSync(file)) throw new DatabaseError(`database ${file} does not exist`)
  if (existsSync(to) && !force) throw new DatabaseError(`${to} already exists; add --force to overwrite it`)
  if (!statSync(dirname(to), { throwIfNoEntry: false })?.isDirectory())
    throw new DatabaseError(`folder ${dirname(to)} does not exist: create it first, or choose another path`)
  removeDrafts(dirname(to), (name) => name.startsWith(`${basename(to)}.`) && !isRunning(name))
  const draft = `${to}.${process.pid}.part`
  try {
    requireSpace([file, `${file}-wal`], dirname(to), 'backup failed')
    closeSync(openSync(draft, 'wx', 0o600))
    await copySnapshot(file, draft, { progress, signal })
    requireIntact(draft)
    signal?.throwIfAborted()
    sync(draft)
    if (force) renameSync(draft, to)
    else linkSync(draft, to) // Unlike a rename, fails if the file was created meanwhile.
    sync(dirname(to))
    return { file: to, bytes: statSync(to).size }
  } catch (error) {
    if (error instanceof DatabaseError) throw error
    throw new DatabaseError(`backup failed: ${(error as Error).message}`, { cause: error })
  } finally {
    removeDatabase(draft)
  }
}

async function copySnapshot(file: string, draft: string, { progress, signal }: BackupOptions): Promise<void> {
  const source = new BetterSqlite(file, { readonly: true, timeout: LOCK_WAIT_MS })
  try {
    // An open read transaction pins the snapshot. Without it, each write of another connection restarts the copy.
    source.exec('begin')
    source.prepare('select count(*) from sqlite_schema').get()
    await source.backup(draft, {
      progress: ({ totalPages, remainingPages }) => {
        signal?.throwIfAborted()
        if (totalPages) progress?.(1 - remainingPages / totalPages)
        return PAGES_PER_STEP
      },
    })
  } finally {
    source.close()
  }
}

const DRAFT = /\.(\d+)\.part(-wal|-shm|-journal)?$/

/** Removes the drafts that killed backups have left in a folder, if `isLeft` returns true for the name. */
export function removeDrafts(folder: string, isAbandoned: (name: string) => boolean): void {
  for (const name of readdirSync(folder))
    if (DRAFT.test(name) && isAbandoned(name)) rmSync(join(folder, name), { force: true })
}

/** Whether the process in the name of a draft is running. */
function isRunning(draft: string): boolean {
  const pid = Number(DRAFT.exec(draft)?.[1])
  if (pid === process.pid) return false // The draft is from an earlier process with the same id.
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Throws DatabaseError, with `outcome` as the start of its message, if copies of `files` would fill the disk. */
export function requireSpace(files: string[], folder: string, outcome: string): void {
  const sizes = files.map((path) => statSync(path, { throwIfNoEntry: false })?.size ?? 0)
  const needed = sizes.reduce((sum, size) => sum + size, RESERVED_BYTES)
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < needed)
    throw new DatabaseError(
      `${outcome}: not enough disk space. ${folder} has ${mebibytes(bavail * bsize)} MiB free, and ${mebibytes(needed)} MiB are required, including a reserve for the service`,
    )
}

const mebibytes = (bytes: number): number => Math.ceil(bytes / 2 ** 20)

/**
 * Replaces the database `file` by a backup. Returns the name under which the previous database is kept, or null. Throws
 * DatabaseError if the backup is damaged, of another program or of a newer version, or the database is in use.
 */
export async function restoreSqlite(from: string, file: string): Promise<{ kept: string | null }> {
  if (!existsSync(from)) throw new DatabaseError(`file ${from} does not exist`)
  makeFolder(dirname(file))
  const draft = `${file}.${process.pid}.part`
  try {
    closeSync(openSync(draft, 'wx', 0o600))
    await copyFile(from, draft)
    requireIntact(draft)
    await requireKnownSchema(draft, from)
    sync(draft)
    return { kept: replace(file, draft) }
  } finally {
    removeDatabase(draft)
  }
}

/** Swaps the files while the old database is locked. */
function replace(file: string, draft: string): string | null {
  const kept = existsSync(file) ? `${file}.before-restore-${new Date().toISOString().replaceAll(':', '-')}` : null
  const unlock = lockExclusively(file)
  try {
    // The write-ahead log of a damaged database must not be applied to the new one.
    for (const suffix of ['-wal', '-shm', '-journal'])
      if (existsSync(file + suffix)) renameSync(file + suffix, (kept ?? draft) + suffix)
    if (kept) linkSync(file, kept)
    renameSync(draft, file)
    sync(dirname(file))
    return kept
  } finally {
    unlock()
  }
}

/** Checkpoints a database and locks it exclusively. Returns a function that unlocks it. Throws DatabaseError. */
function lockExclusively(file: string): () => void {
  if (!existsSync(file)) return () => {}
  const old = new BetterSqlite(file, { timeout: LOCK_WAIT_MS })
  try {
    old.pragma('journal_mode = DELETE') // Fails if another connection is open.
    old.pragma('locking_mode = EXCLUSIVE')
    old.exec('begin exclusive')
  } catch (error) {
    const { code = '' } = error as { code?: string }
    if (!/^SQLITE_(CORRUPT|NOTADB)/.test(code)) {
      old.close()
      if (!code.startsWith('SQLITE_BUSY')) throw error
      throw new DatabaseError(`${file} is in use: stop the service first`, { cause: error })
    }
  }
  return () => old.close()
}

/** Throws DatabaseError unless the integrity and foreign key checks pass. Leaves a single file without a log. */
function requireIntact(file: string): void {
  try {
    const database = new BetterSqlite(file, { timeout: LOCK_WAIT_MS })
    try {
      database.pragma('journal_mode = DELETE')
      const problems = [
        ...(database.pragma('integrity_check(3)') as { integrity_check: string }[])
          .map(({ integrity_check }) => integrity_check)
          .filter((line) => line !== 'ok'),
        ...(database.pragma('foreign_key_check') as { table: string }[])
          .slice(0, 3)
          .map(({ table }) => `a row of ${table} refers to a missing row`),
      ]
      if (problems.length) throw new Error(problems.join('; '))
    } finally {
      database.close()
    }
  } catch (error) {
    throw new DatabaseError(`the copy is damaged: ${(error as Error).message}`, { cause: error })
  }
}

async function requireKnownSchema(draft: string, from: string): Promise<void> {
  const file = new BetterSqlite(draft)
  const isOurs = file.prepare("select 1 from sqlite_schema where name = 'schema_migrations'").get()
  file.close()
  if (!isOurs) throw new DatabaseError(`${from} is not a backup of this service`)
  const database = openSqlite(draft, { ...MIGRATION_DEADLINES, lock: LOCK_WAIT_MS })
  await migrationStatus(database).finally(() => database.close())
  requireIntact(draft)
}

/** Syncs a file or folder to disk. */
function sync(path: string): void {
  const handle = openSync(path, 'r')
  fsyncSync(handle)
  closeSync(handle)
}

function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true })
}
