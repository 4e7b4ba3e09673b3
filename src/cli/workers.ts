import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { FAREWELL_NOTICE } from '../kernel/deadlines.ts'
import type { Log } from '../kernel/log.ts'

/** A worker that ends within this time is started again only after a pause, which doubles each time, in ms. */
const SHORT_LIFE = 10_000
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 10_000
/** On the way out: each worker has its turn for this long, then the next one closes beside it. */
const TURN = 1500

/**
 * Starts `count` processes of this same command, which share one port, and another one for each that dies.
 * Resolves when all of them listen, with their port. Rejects when one ends before it has ever listened.
 */
export async function startWorkers(count: number, log: Log) {
  let leaving = false
  let delay = 0
  const listening = (worker: Worker) =>
    new Promise<number>((resolve, reject) => {
      worker.once('listening', ({ port }) => resolve(port))
      worker.once('exit', () => reject(new Error('a worker ended before it could listen')))
    })

  function replaceWhenItDies(worker: Worker): void {
    const born = performance.now()
    worker.once('exit', async (status, signal) => {
      if (leaving) return
      log.error({ worker: worker.id, worker_pid: worker.process.pid, status, signal }, 'a worker died')
      delay = performance.now() - born < SHORT_LIFE ? Math.min(Math.max(FIRST_PAUSE, 2 * delay), LONGEST_PAUSE) : 0
      await pause(delay, null, { ref: false })
      if (!leaving) replaceWhenItDies(cluster.fork())
    })
  }

  async function stop(signal: NodeJS.Signals): Promise<void> {
    leaving = true
    const workers = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
    for (const worker of workers()) worker.send('drain')
    if (signal === 'SIGTERM') await pause(FAREWELL_NOTICE)
    const ends = workers().map(async (worker) => {
      if (!worker.isDead()) await once(worker, 'exit')
    })
    for (const worker of workers()) {
      if (worker.isConnected()) worker.send('close')
      await Promise.race([once(worker, 'exit'), pause(TURN, null, { ref: false })])
    }
    await Promise.all(ends)
  }

  const workers = Array.from({ length: count }, () => cluster.fork())
  try {
    const ports = await Promise.all(workers.map(listening))
    for (const worker of workers) replaceWhenItDies(worker.isDead() ? cluster.fork() : worker)
    return { port: ports[0] as number, stop }
  } catch (error) {
    leaving = true
    for (const worker of workers) worker.process.kill('SIGKILL')
    throw error
  }
}
