import { setTimeout as pause } from 'node:timers/promises'
import { type Answer, createClient, quantile, signUp, tally } from './support/client.ts'
import type { Fault } from './support/fault.ts'

// It brings no types.
const { default: autocannon } = await import('autocannon' as string)

const SECONDS = 5

/** Sends `rate` requests a second, whatever comes back. */
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
  title: 'three times the capacity of `GET /auth/me`',
  holds: 'excess gets 503 within 50 ms; what is served stays at 80 % of the peak',
  quick: false,
  async run(context) {
    const server = await context.server({ LOG_LEVEL: 'error' })
    const client = createClient(server.url)
    const { access_token } = await signUp(client, 'anna@example.org')
    // In a thread of its own, so that what it has to do delays no answer that is measured.
    const load = async (connections: number, overallRate?: number) => {
      const result = await autocannon({
        url: `${server.url}/api/v1/auth/me`,
        headers: { authorization: `Bearer ${access_token}` },
        connections,
        duration: SECONDS,
        workers: 1,
        ...(overallRate && { overallRate }),
      })
      const { 200: served, 503: refused, ...others } = result.statusCodeStats
      return {
        rate: (served?.count ?? 0) / SECONDS,
        refused: refused?.count ?? 0,
        other: Object.keys(others).length + result.errors,
      }
    }
    await load(32)
    const peak = await load(32)
    const probes: Answer[] = []
    let isOver = false
    const probing = (async () => {
      while (!isOver) {
        probes.push(await client.me(access_token))
        await pause(5)
      }
    })()
    const flood = await load(1000, Math.round(peak.rate * 3))
    isOver = true
    await probing
    const refusals = probes.filter(({ status }) => status === 503).map(({ ms }) => ms)
    const p95 = quantile(refusals, 0.95)
    client.close()
    const kept = flood.rate / peak.rate
    return {
      ok: kept >= 0.8 && p95 <= 50 && flood.other === 0,
      figure: `peak ${Math.round(peak.rate)}/s; at three times that from 1,000 connections ${Math.round(flood.rate)}/s served (${Math.round(kept * 100)} %), ${flood.refused} refused; ${refusals.length} refusals timed beside the flood: p95 ${Math.round(p95)} ms; the generator shares the cores`,
    }
  },
}

export const loginFlood: Fault = {
  name: 'login-flood',
  title: 'logins at three times what the machine can hash',
  holds: 'excess gets 503 or 429 within 50 ms; what is served stays at 80 % of the peak; others are served',
  quick: false,
  async run(context) {
    const server = await context.server({ LOG_LEVEL: 'error' })
    const client = createClient(server.url, { sockets: 2000 })
    const people = await Promise.all(Array.from({ length: 20 }, (_, n) => signUp(client, `p${n}@example.org`)))
    let n = 0
    const login = () => client.login((people[n++ % people.length] as { email: string }).email)
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
