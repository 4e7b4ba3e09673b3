import cluster, { type ClusterSettings, type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { DRAIN_DELAY_MS } from '../kernel/config/deadlines.ts'
import { DatabaseError } from '../kernel/db/errors.ts'
import { guarded } from '../kernel/lib/guarded.ts'
import { destinationOf, type Log } from '../kernel/log/log.ts'
import type { Config } from '../settings/config.ts'
import { forwardLines } from './worker-logs.ts'

/** A worker that lived shorter than this, in ms, is replaced only after a pause that doubles each time. */
const SHORT_LIFETIME_MS = 10_000
const MIN_PAUSE_MS = 100
const MAX_PAUSE_MS = 10_000
/** At shutdown, how long to wait for one worker before the next one closes at the same time. */
const CLOSING_INTERVAL_MS = 1500

/**
 * Starts `workers` processes of this command, which share one port, and replaces each that exits. Resolves with the
 * port when all of them listen. Throws DatabaseError when one exits before it listens.
 */
export async function startWorkers({ workers: count, port }: Pick<Config, 'workers' | 'port'>, log: Log) {
  let isStopping = false
  let delay = 0
  const destination = destinationOf(log)
  // This process writes the JSON lines of all workers: several writers of one pipe would interleave lines.
  if (destination) cluster.setupPrimary({ stdio: ['inherit', 'pipe', 'inherit', 'ipc'] } as ClusterSettings)

  function fork(): Worker {
    const worker = cluster.fork({ PORT: String(port) })
    // For example, a message to a worker that has just exited: its 'exit' event follows.
    worker.on('error', (err) => log.warn({ err, worker: worker.id }, 'failed to send a message to a worker'))
    const { stdout } = worker.process
    if (destination && stdout) guarded(log, 'worker logs', forwardLines)(stdout, destination)
    return worker
  }

  const listening = (worker: Worker) =>
    new Promise<number>((resolve, reject) => {
      worker.once('listening', ({ port }) => resolve(port))
      worker.once('exit', () =>
        reject(new DatabaseError('a worker exited before it could listen; see the log for the cause')),
      )
    })

  function replaceOnExit(worker: Worker): void {
    const startedAt = performance.now()
    const replace = async (status: number | null, signal: string | null) => {
      if (isStopping) return
      log.error(
        { worker: worker.id, worker_pid: worker.process.pid, status, signal },
        'worker exited unexpectedly, starting another one',
      )
      delay =
        performance.now() - startedAt < SHORT_LIFETIME_MS
          ? Math.min(Math.max(MIN_PAUSE_MS, 2 * delay), MAX_PAUSE_MS)
          : 0
      await pause(delay, null, { ref: false })
      if (!isStopping) replaceOnExit(fork())
    }
    worker.once('exit', guarded(log, 'replace a worker', replace))
  }

  async function stop(withDrainDelay: boolean): Promise<void> {
    isStopping = true
    const workers = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
    const send = (worker: Worker, message: 'drain' | 'close') => worker.isConnected() && worker.send(message)
    for (const worker of workers()) send(worker, 'drain')
    if (withDrainDelay) await pause(DRAIN_DELAY_MS)
    const exits = workers().map(async (worker) => {
      if (!worker.isDead()) await once(worker, 'exit')
    })
    for (const worker of workers()) {
      send(worker, 'close')
      await Promise.race([once(worker, 'exit'), pause(CLOSING_INTERVAL_MS, null, { ref: false })])
    }
    await Promise.all(exits)
  }

  const workers = Array.from({ length: count }, fork)
  try {
    const ports = await Promise.all(workers.map(listening))
    for (const worker of workers) replaceOnExit(worker.isDead() ? fork() : worker)
    return { port: ports[0] as number, stop }
  } catch (error) {
    isStopping = true
    for (const worker of workers) worker.process.kill('SIGKILL')
    throw error
  }
}
