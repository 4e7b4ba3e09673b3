import { spawn } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Config } from '../kernel/config.ts'
import { guarded } from '../kernel/guarded.ts'
import type { Log } from '../kernel/log.ts'

const NAME = /^bukhindor-\d{4}-\d{2}-\d{2}T[\d-]+\.\d{3}Z\.db$/
const ENTRY = fileURLToPath(import.meta.resolve('../../bin/bukhindor.js'))
const RETRY = 60_000

/**
 * Copies the embedded database to DATA_DIR/backups every `BACKUP_EVERY`, counted from the newest copy there is, and
 * keeps the newest `BACKUP_KEEP`. `bukhindor backup` does it in a process of its own, of the lowest priority: checking
 * a large copy takes seconds in which nothing else could be answered. Returns what ends it.
 */
export function scheduleBackups(config: Pick<Config, 'dataDir' | 'backupEvery' | 'backupKeep'>, log: Log): () => void {
  if (!config.backupEvery) return () => {}
  const folder = join(config.dataDir, 'backups')
  let timer: NodeJS.Timeout | undefined
  let child: ReturnType<typeof spawn> | undefined

  /** Whether it was done. */
  async function run(): Promise<boolean> {
    const file = join(folder, `bukhindor-${new Date().toISOString().replaceAll(':', '-')}.db`)
    child = spawn(process.execPath, [ENTRY, 'backup', file, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
    if (child.pid) setPriority(child.pid, constants.priority.PRIORITY_LOW)
    const { promise: ended, resolve } = Promise.withResolvers<number | null>()
    child.once('close', resolve).once('error', () => resolve(null))
    const [output, fault, status] = await Promise.all([read(child.stdout), read(child.stderr), ended])
    child = undefined
    if (status !== 0) log.error({ status, fault }, 'backup failed')
    else {
      log.info({ backup: JSON.parse(output) }, 'backup')
      for (const old of backups(folder).slice(config.backupKeep)) rmSync(join(folder, old), { force: true })
    }
    return status === 0
  }

  function schedule(delay: number): void {
    const again = (isDone: boolean) => schedule(isDone ? config.backupEvery : Math.min(RETRY, config.backupEvery))
    const work = () =>
      run().then(again, (err) => {
        again(false)
        log.error({ err }, 'backup failed')
      })
    timer = setTimeout(guarded(log, 'backup', work), delay).unref()
  }

  const [newest] = backups(folder)
  const age = newest ? Date.now() - statSync(join(folder, newest)).mtimeMs : Number.POSITIVE_INFINITY
  schedule(Math.max(0, config.backupEvery - age))
  return () => {
    clearTimeout(timer)
    child?.kill()
  }
}

const read = (stream: NodeJS.ReadableStream | null): Promise<string> => (stream ? text(stream) : Promise.resolve(''))

/** The scheduled copies, the newest first; nothing else that lies in the folder. */
const backups = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => NAME.test(name))
        .sort()
        .reverse()
    : []
