// An open loop: a plan on standard input; it starts requests at a fixed rate, whatever becomes of the earlier ones, as people
// do. (A closed loop, as wrk's, slows down together with the server and hides how long a newcomer would wait.)
import { Agent, request } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Request } from './load.ts'
import { percentile } from './stats.ts'

export interface Stream {
  name: string
  /** Requests per second. */
  rate: number
  requests: Request[]
}

export interface PacedPlan {
  url: string
  seconds: number
  streams: Stream[]
}

export interface Seen {
  perSecond: number
  p50: number
  p95: number
  p99: number
}

/**
 * Per stream: what was answered below 400 and what was refused; latencies in milliseconds. `broken` counts connections
 * that ended without an answer, `failures` those and the refused.
 */
export type PacedLoad = Record<string, { answered: Seen; refused: Seen; broken: number; failures: number }>

const plan = (await json(process.stdin)) as PacedPlan
const agent = new Agent({ keepAlive: true, maxSockets: 4096, maxFreeSockets: 4096 })

/** @returns status and milliseconds; status 0 for a broken connection */
function send({ method = 'GET', path, headers = {}, body }: Request): Promise<{ status: number; took: number }> {
  const start = performance.now()
  return new Promise((resolve) => {
    const end = (status: number) => resolve({ status, took: performance.now() - start })
    const outgoing = request(`${plan.url}${path}`, { method, headers, agent }, (answer) => {
      answer.resume().once('end', () => end(answer.statusCode ?? 0))
    })
    outgoing.once('error', () => end(0)).end(body)
  })
}

async function play({ rate, requests }: Stream) {
  const pending: ReturnType<typeof send>[] = []
  const start = performance.now()
  const total = Math.round(rate * plan.seconds)
  while (pending.length < total) {
    const due = Math.min(total, Math.ceil(((performance.now() - start) / 1000) * rate))
    while (pending.length < due) pending.push(send(requests[pending.length % requests.length] as Request))
    await sleep(1)
  }
  const answers = await Promise.all(pending)
  const elapsed = (performance.now() - start) / 1000
  const summary = (of: typeof answers): Seen => {
    const times = of.map(({ took }) => took)
    return {
      perSecond: of.length / elapsed,
      p50: percentile(times, 0.5),
      p95: percentile(times, 0.95),
      p99: percentile(times, 0.99),
    }
  }
  return {
    answered: summary(answers.filter(({ status }) => status > 0 && status < 400)),
    refused: summary(answers.filter(({ status }) => status >= 400)),
    broken: answers.filter(({ status }) => status === 0).length,
    failures: answers.filter(({ status }) => status === 0 || status >= 400).length,
  }
}

const results = await Promise.all(plan.streams.map(async (stream) => [stream.name, await play(stream)] as const))
process.stdout.write(JSON.stringify(Object.fromEntries(results)))
agent.destroy()
