import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { removeDrafts } from '../kernel/db/sqlite/backup.ts'
import { makeFolder } from '../kernel/lib/folders.ts'
import { guarded } from '../kernel/lib/guarded.ts'
import type { Log } from '../kernel/log/log.ts'
import type { Config } from '../settings/config.ts'

const NAME = /^bukhindor-\d{4}-\d{2}-\d{2}T[\d-]+\.\d{3}Z\.db$/
const ENTRY = fileURLToPath(import.meta.resolve('../../bin/bukhindor.js'))
/** Delay after a start and after a failure; doubles with each further failure. */
const RETRY_MS = 60_000
/** How long a running backup may clean up at shutdown before it is killed. */
const STOP_MS = 1000

/**
 * Backs up the embedded database to DATA_DIR/backups every `BACKUP_EVERY`, counted from the newest backup, and keeps
 * the newest `BACKUP_KEEP`. Returns a function that stops this and cancels a running backup.
 * @see docs/decisions/0028-scheduled-backups.md
 */
export function scheduleBackups(
  config: Pick<Config, 'dataDir' | 'backupEvery' | 'backupKeep'>,
  log: Log,
): () => Promise<void> {
  if (!config.backupEvery) return async () => {}
  const folder = join(config.dataDir, 'backups')
  let timer: NodeJS.Timeout | undefined
  let child: ReturnType<typeof spawn> | undefined
  let isStopping = false
  let failures = 0

  async function run(): Promise<void> {
    makeFolder(folder) // Here, so that a failure counts as a failed backup instead of ending the process.
    const file = join(folder, `bukhindor-${new Date().toISOString().replaceAll(':', '-')}.db`)
    child = spawn(process.execPath, [ENTRY, 'backup', file, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
    if (child.pid) setPriority(child.pid, constants.priority.PRIORITY_LOW)
    const { promise: ended, resolve } = Promise.withResolvers<number | null>()
    child.once('close', resolve).once('error', () => resolve(null))
    const [output, errorOutput, status] = await Promise.all([read(child.stdout), read(child.stderr), ended])
    child = undefined
    if (status === 0) {
      failures = 0
      log.info({ backup: JSON.parse(output) }, 'backup created')
      for (const old of backups(folder).slice(config.backupKeep)) rmSync(join(folder, old), { force: true })
      schedule(config.backupEvery)
    } else if (isStopping) log.info('running backup canceled')
    else {
      log.error({ status, fault: errorOutput }, 'backup failed')
      schedule(RETRY_MS * 2 ** failures++)
    }
  }

  function schedule(delay: number): void {
    if (isStopping) return
    const start = () =>
      run().catch((err) => {
        log.error({ err }, 'backup failed')
        schedule(RETRY_MS * 2 ** failures++)
      })
    timer = setTimeout(guarded(log, 'backup', start), Math.min(delay, config.backupEvery)).unref()
  }

  async function stop(): Promise<void> {
    isStopping = true
    clearTimeout(timer)
    const running = child
    if (!running) return
    const ended = once(running, 'close').catch(() => {})
    running.kill()
    await Promise.race([ended, pause(STOP_MS, null, { ref: false })])
    running.kill('SIGKILL') // While it checks a large copy, it does not react to SIGTERM.
    await ended
    removeDrafts(folder, isScheduled)
  }

  // Drafts with these names were left by a service that was killed.
  if (existsSync(folder)) removeDrafts(folder, isScheduled)
  const [newest] = backups(folder)
  const age = newest ? Date.now() - statSync(join(folder, newest)).mtimeMs : Number.POSITIVE_INFINITY
  schedule(Math.max(RETRY_MS, config.backupEvery - age))
  return stop
}

const isScheduled = (draft: string): boolean => draft.startsWith('bukhindor-')

const read = (stream: NodeJS.ReadableStream | null): Promise<string> => (stream ? text(stream) : Promise.resolve(''))

/** Returns the names of the scheduled backups in a folder, newest first. */
const backups = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => NAME.test(name))
        .sort()
        .reverse()
    : []
