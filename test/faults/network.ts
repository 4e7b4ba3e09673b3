import { firstGeneration, type Generations, refresh, see } from '../../src/modules/sessions/generations.ts'
import { createClient } from '../support/process-client.ts'
import { createRandom } from '../support/random.ts'
import type { Fault } from './support/fault.ts'

const GRACE = 10_000
const RULES = { grace: GRACE, tolerance: 0 }
const STEPS = 30

/** A device on a bad network and a thief who copies its refresh token once, against the state machine itself. */
function modelled(next: () => number, isRobbed: boolean): { signedOut: boolean; found: boolean } {
  let server: Generations = firstGeneration()
  let now = 0
  let device = 0
  let stolen: number | null = null
  let alive = true
  const ask = (generation: number): number | null => {
    const verdict = refresh(server, generation, now, RULES)
    if (verdict.kind === 'reused') alive = false
    if (verdict.kind === 'advanced') server = verdict.next
    return alive ? server.current : null
  }
  for (let step = 0; step < STEPS && alive; step++) {
    now += next() * 3_600_000
    if (isRobbed && step === 5) stolen = device
    const copies = 1 + Math.floor(next() * 3) // doubled on the way
    let answer: number | null = null
    for (let copy = 0; copy < copies && alive; copy++) {
      if (next() < 0.2) continue // lost on the way there
      const got = ask(device)
      if (next() < 0.7) answer = got ?? answer // else lost on the way back
      now += next() * 2000
    }
    if (answer !== null) {
      device = answer
      if (next() < 0.8) server = see(server, device, now, RULES) ?? server // a call with its access token
    }
  }
  const signedOut = !alive
  if (stolen === null || signedOut) return { signedOut: signedOut && !isRobbed, found: signedOut }
  // The owner has gone on and is in use; the thief comes after the grace time.
  while (server.current <= stolen + 1) device = ask(device) ?? device
  server = see(server, device, now, RULES) ?? server
  now += GRACE + 1
  ask(stolen)
  return { signedOut: false, found: !alive }
}

/** The same against a real server, with lost answers and duplicated requests. */
async function real(url: string, sessions: number, next: () => number) {
  const client = createClient(url, { sockets: 32 })
  await client.register({ email: 'anna@example.org' })
  let signedOut = 0
  let thieves = 0
  let found = 0
  const one = async (n: number) => {
    const { body } = await client.login({ email: 'anna@example.org' })
    let token = body.user.refresh_token
    const isRobbed = n % 4 === 0
    let stolen = ''
    for (let step = 0; step < 6; step++) {
      if (isRobbed && step === 2) stolen = token
      const copies = 1 + Math.floor(next() * 3)
      const answers = await Promise.all(
        Array.from({ length: copies }, () => (next() < 0.2 ? null : client.refresh(token))),
      )
      if (answers.some((answer) => answer?.status === 401)) {
        signedOut++
        return
      }
      const [heard] = answers.filter((answer) => answer?.status === 200 && next() < 0.7)
      if (heard) {
        token = heard.body.user.refresh_token
        if (next() < 0.8 && (await client.me(heard.body.user.access_token)).status === 401) signedOut++
      }
    }
    if (!isRobbed) return
    // The owner goes on until the stolen token is of the past.
    for (let step = 0; step < 2; step++) {
      const { body } = await client.refresh(token)
      token = body.user.refresh_token
      await client.me(body.user.access_token)
    }
    thieves++
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const theft = await client.refresh(stolen)
    if (theft.status === 401 && theft.body.reason === 'refresh_reused' && (await client.refresh(token)).status === 401)
      found++
  }
  for (let n = 0; n < sessions; n += 10)
    await Promise.all(Array.from({ length: Math.min(10, sessions - n) }, (_, k) => one(n + k)))
  client.close()
  return { signedOut, thieves, found }
}

export const network: Fault = {
  name: 'network',
  title:
    'a network that drops, delays and duplicates messages at random (seed 1): 10,000 sessions modelled, and against the real server',
  holds: '0 legitimate devices signed out, every theft detected',
  quick: true,
  async run(context) {
    const next = createRandom(1).next
    const model = { honest: 0, signedOut: 0, thieves: 0, found: 0 }
    for (let n = 0; n < 10_000; n++) {
      const isRobbed = n % 4 === 0
      const { signedOut, found } = modelled(next, isRobbed)
      if (isRobbed) {
        model.thieves++
        if (found) model.found++
      } else {
        model.honest++
        if (signedOut) model.signedOut++
      }
    }
    const sessions = context.quick ? 40 : 400
    const server = await context.server({ REFRESH_GRACE: '1s' })
    const lived = await real(server.url, sessions, next)
    return {
      ok: model.signedOut + lived.signedOut === 0 && model.found === model.thieves && lived.found === lived.thieves,
      figure: `modelled: ${model.signedOut} of ${model.honest} signed out, ${model.found} of ${model.thieves} thefts detected; real: ${lived.signedOut} of ${sessions} signed out, ${lived.found} of ${lived.thieves} thefts detected`,
    }
  },
}
