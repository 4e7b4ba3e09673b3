// What the cores can hash when they do nothing else: `node argon2.ts SECONDS` prints verifications per second of
// argon2id with the parameters of the service (19 MiB, 2 passes, 1 lane), one thread per core that it may use.
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { hashSync, verifySync } from '@node-rs/argon2'

const password = 'a password of middling length'

if (isMainThread) {
  const seconds = Number(process.argv[2])
  const counts = Array.from({ length: availableParallelism() }, () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: seconds })
    return new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject))
  })
  const rates = await Promise.all(counts)
  process.stdout.write(JSON.stringify(rates.reduce((sum, rate) => sum + rate)))
} else {
  const hash = hashSync(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  const start = performance.now()
  let count = 0
  while (performance.now() - start < workerData * 1000) {
    verifySync(hash, password)
    count++
  }
  parentPort?.postMessage(count / ((performance.now() - start) / 1000))
}
