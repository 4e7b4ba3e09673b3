import { execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Answer, createClient, quantile, signUp, tally } from '../support/process-client.ts'
import { type Fault, Missing } from './support/fault.ts'

const run = promisify(execFile)
const SECONDS = 5
const CONNECTIONS = 250
/** Each connection sends its next request at once: far more than one turn of the event loop can serve. */
const FLOOD = 2000

/** Sends `rate` requests a second, whatever the answers. */
async function atRate(rate: number, seconds: number, send: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Promise<Answer>[] = []
  const began = performance.now()
  while (performance.now() - began < seconds * 1000) {
    const due = Math.floor(((performance.now() - began) / 1000) * rate)
    while (answers.length < due) answers.push(send())
    await pause(5)
  }
  return Promise.all(answers)
}

export const overload: Fault = {
  name: 'overload',
  title: `a flood of \`GET /auth/me\` from ${FLOOD} connections, each repeating without a pause`,
  holds: 'excess gets 503 within 50 ms; throughput stays at 80 % of the peak',
  quick: false,
  async run(context) {
    const server = await context.server({ LOG_LEVEL: 'error' })
    const client = createClient(server.url)
    const { access_token } = await signUp(client, 'anna@example.org')
    const load = async (connections: number) => {
      const args = ['-t1', `-c${connections}`, `-d${SECONDS}`, '-H', `authorization: Bearer ${access_token}`]
      const { stdout } = await run('wrk', [...args, `${server.url}/api/v1/auth/me`]).catch(() => {
        throw new Missing('wrk is not installed')
      })
      const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0)
      const all = number(/(\d+) requests in/)
      const refused = number(/Non-2xx or 3xx responses: (\d+)/)
      return { rate: (all - refused) / SECONDS, refused }
    }
    await load(CONNECTIONS)
    const peak = await load(CONNECTIONS)
    // A new connection each time, as those are served last in a turn.
    const stranger = createClient(server.url, { keepAlive: false })
    const probes: Answer[] = []
    let isOver = false
    const probing = Promise.all(
      Array.from({ length: 20 }, async () => {
        while (!isOver) {
          probes.push(await stranger.me(access_token))
          await pause(5)
        }
      }),
    )
    const flood = await load(FLOOD)
    isOver = true
    await probing
    const refusals = probes.filter(({ status }) => status === 503).map(({ ms }) => ms)
    const p95 = quantile(refusals, 0.95)
    client.close()
    const kept = flood.rate / peak.rate
    return {
      ok: kept >= 0.8 && refusals.length > 0 && p95 <= 50,
      figure: `peak ${Math.round(peak.rate)}/s from ${CONNECTIONS} connections; from ${FLOOD} ${Math.round(flood.rate)}/s served (${Math.round(kept * 100)} %), ${flood.refused} refused; ${
        refusals.length
          ? `refusals timed beside it p95 ${Math.round(p95)} ms`
          : `none of ${probes.length} requests beside it was refused; they took ${Math.round(
              quantile(
                probes.map(({ ms }) => ms),
                0.95,
              ),
            )} ms at p95`
      }; the generator shares the cores`,
    }
  },
}

export const loginFlood: Fault = {
  name: 'login-flood',
  title: 'logins at three times what the machine can hash',
  holds: 'excess gets 503 or 429 within 50 ms; throughput stays at 80 % of the peak; others are served',
  quick: false,
  async run(context) {
    const server = await context.server({ LOG_LEVEL: 'error' })
    const client = createClient(server.url, { sockets: 2000 })
    const people = await Promise.all(Array.from({ length: 20 }, (_, n) => signUp(client, `p${n}@example.org`)))
    let n = 0
    const login = () => client.login({ email: (people[n++ % people.length] as { email: string }).email })
    const began = performance.now()
    let peakCount = 0
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (performance.now() - began < SECONDS * 1000) if ((await login()).status === 200) peakCount++
      }),
    )
    const peak = peakCount / SECONDS
    const others: Answer[] = []
    let isOver = false
    const reading = (async () => {
      while (!isOver) {
        others.push(await client.me(people[0]?.access_token ?? ''))
        await pause(20)
      }
    })()
    const start = performance.now()
    const answers = await atRate(peak * 3, SECONDS, login)
    const served = answers.filter(({ status }) => status === 200).length / ((performance.now() - start) / 1000)
    isOver = true
    await reading
    client.close()
    const refused = answers.filter(({ status }) => status === 503 || status === 429)
    const p95 = quantile(
      refused.map(({ ms }) => ms),
      0.95,
    )
    return {
      ok: served >= 0.8 * peak && p95 <= 50 && others.every(({ status }) => status === 200),
      figure: `peak ${Math.round(peak)}/s; at three times that ${Math.round(served)}/s served (${Math.round((served / peak) * 100)} %), ${tally(answers)}, refusals p95 ${Math.round(p95)} ms; \`me\` meanwhile p95 ${Math.round(
        quantile(
          others.map(({ ms }) => ms),
          0.95,
        ),
      )} ms`,
    }
  },
}
