// Stands in for wrk where that is not installed: `node autocannon.ts PLAN` prints a Load as JSON.
import { readFileSync } from 'node:fs'
import type { Load, Plan, Request } from './load.ts'
import { percentile } from './stats.ts'

// It brings no types.
const { default: autocannon } = await import('autocannon' as string)

const { url, requests, connections, seconds, chain }: Plan = JSON.parse(readFileSync(process.argv[2] as string, 'utf8'))
const queue = [...requests]
const latencies: number[] = []
let refused = 0
let turn = 0

/** The front of the queue; it goes to the back again unless answers bring the next ones. */
function next(): Request {
  const request = (queue.length > 1 ? queue.shift() : queue[0]) as Request
  if (!chain) queue.push(request)
  return request
}

function keepSuccessor(body: string): void {
  const value = chain && new RegExp(`"${chain}":"([^"]+)"`).exec(body)?.[1]
  if (chain && value)
    queue.push({ ...(requests[++turn % requests.length] as Request), body: JSON.stringify({ [chain]: value }) })
}

const run = autocannon({
  url,
  connections,
  duration: seconds,
  timeout: 30,
  requests: [
    {
      setupRequest: (defaults: object) => ({ ...defaults, ...next() }),
      onResponse: (_status: number, body: string) => keepSuccessor(body),
    },
  ],
})
run.on('response', (_client: unknown, status: number, _bytes: number, milliseconds: number) => {
  latencies.push(milliseconds)
  if (status >= 400) refused++
})
const seen = await run
const load: Load = {
  requests: seen.requests.total,
  perSecond: seen.requests.total / seen.duration,
  p50: percentile(latencies, 0.5),
  p95: percentile(latencies, 0.95),
  p99: percentile(latencies, 0.99),
  errors: seen.errors + refused,
}
process.stdout.write(JSON.stringify(load))
