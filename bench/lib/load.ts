import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { outputOf } from './machine.ts'
import { run } from './processes.ts'
import { wrkScript } from './wrk-script.ts'

export interface Request {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: string
}

export interface Plan {
  /** `http://127.0.0.1:{port}` */
  url: string
  /** Sent in turn, over and over. */
  requests: Request[]
  connections: number
  seconds: number
  /** The next body carries this member of an earlier answer: `{"refresh_token": …}`; `requests` are the first ones. */
  chain?: string
}

/** What a load tool saw; latencies in milliseconds, `errors` are answers of 400 and above and broken connections. */
export interface Load {
  requests: number
  perSecond: number
  p50: number
  p95: number
  p99: number
  errors: number
}

const hasWrk = outputOf('wrk', '-v').startsWith('wrk')
const autocannon = fileURLToPath(new URL('./autocannon.ts', import.meta.url))
let plans = 0

/** Keeps `connections` busy for `seconds`, each sending as soon as its answer is there; `cpus` as for `taskset`. */
export async function drive(plan: Plan, folder: string, cpus: string): Promise<Load> {
  const file = join(folder, `plan-${++plans}`)
  if (!hasWrk) {
    await writeFile(file, JSON.stringify(plan))
    return JSON.parse(await run(process.execPath, [autocannon, file], { cpus }))
  }
  await writeFile(file, wrkScript(plan))
  const args = [
    '-t1',
    `-c${plan.connections}`,
    `-d${plan.seconds}s`,
    '--timeout',
    '30s',
    '--latency',
    '-s',
    file,
    plan.url,
  ]
  const output = await run('wrk', args, { cpus })
  const result = /^RESULT (.+)$/m.exec(output)?.[1]
  if (!result) throw new Error(`wrk printed no result:\n${output}`)
  return JSON.parse(result)
}
