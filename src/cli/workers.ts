import cluster, { type ClusterSettings, type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { DRAIN_DELAY_MS } from '../kernel/config/deadlines.ts'
import { DatabaseError } from '../kernel/db/errors.ts'
import { guarded } from '../kernel/lib/guarded.ts'
import { destinationOf, type Log } from '../kernel/log/log.ts'
import type { Config } from '../settings/config.ts'
import { forwardLines } from './worker-logs.ts'

/** A worker that ends within this time is started again only after a pause, which doubles each time, in ms. */
const SHORT_LIFETIME_MS = 10_000
const MIN_PAUSE_MS = 100
const MAX_PAUSE_MS = 10_000
/** On the way out: each worker has its turn for this long, then the next one closes beside it. */
const CLOSING_INTERVAL_MS = 1500

/**
 * Starts `workers` processes of this same command, which share one port, and another one for each that dies.
 * Resolves when all of them listen, with their port. Rejects when one ends before it has ever listened.
 */
export async function startWorkers({ workers: count, port }: Pick<Config, 'workers' | 'port'>, log: Log) {
  let leaving = false
  let delay = 0
  const destination = destinationOf(log)
  // JSON lines of all processes are written by this one: several writers of one pipe tear each other's lines.
  if (destination) cluster.setupPrimary({ stdio: ['inherit', 'pipe', 'inherit', 'ipc'] } as ClusterSettings)

  function fork(): Worker {
    const worker = cluster.fork({ PORT: String(port) })
    // Such as an order to one that has just ended: 'exit' tells all that has to be known.
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

  function replaceWhenItDies(worker: Worker): void {
    const born = performance.now()
    const replace = async (status: number | null, signal: string | null) => {
      if (leaving) return
      log.error(
        { worker: worker.id, worker_pid: worker.process.pid, status, signal },
        'worker exited unexpectedly, starting another one',
      )
      delay =
        performance.now() - born < SHORT_LIFETIME_MS ? Math.min(Math.max(MIN_PAUSE_MS, 2 * delay), MAX_PAUSE_MS) : 0
      await pause(delay, null, { ref: false })
      if (!leaving) replaceWhenItDies(fork())
    }
    worker.once('exit', guarded(log, 'replace a worker', replace))
  }

  async function stop(hasNotice: boolean): Promise<void> {
    leaving = true
    const workers = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
    const order = (worker: Worker, what: 'drain' | 'close') => worker.isConnected() && worker.send(what)
    for (const worker of workers()) order(worker, 'drain')
    if (hasNotice) await pause(DRAIN_DELAY_MS)
    const ends = workers().map(async (worker) => {
      if (!worker.isDead()) await once(worker, 'exit')
    })
    for (const worker of workers()) {
      order(worker, 'close')
      await Promise.race([once(worker, 'exit'), pause(CLOSING_INTERVAL_MS, null, { ref: false })])
    }
    await Promise.all(ends)
  }

  const workers = Array.from({ length: count }, fork)
  try {
    const ports = await Promise.all(workers.map(listening))
    for (const worker of workers) replaceWhenItDies(worker.isDead() ? fork() : worker)
    return { port: ports[0] as number, stop }
  } catch (error) {
    leaving = true
    for (const worker of workers) worker.process.kill('SIGKILL')
    throw error
  }
}
