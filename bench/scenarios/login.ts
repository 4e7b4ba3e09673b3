import { type Bench, type Engine, engineNames, type Server } from '../lib/bench.ts'
import type { Request } from '../lib/load.ts'
import { newcomers, password, post, signUp } from '../lib/people.ts'
import { alternate, type Contender, type Scenario } from '../lib/results.ts'
import { betterAuth, peerSignUp } from './me.ts'

const connections = 8

export const login: Scenario = {
  name: 'login',
  about: 'signing in, against what the processor can hash',
  run: (bench) => againstHashing(bench, 'POST /api/v1/auth/login', '0.95 of argon2id alone', signingIn),
}

export const register: Scenario = {
  name: 'register',
  about: 'signing up, against what the processor can hash',
  run: (bench) => againstHashing(bench, 'POST /api/v1/auth/register', '0.9 of argon2id alone', signingUp),
}

type Requests = (seconds: number) => Request[]

async function againstHashing(
  bench: Bench,
  title: string,
  aim: string,
  prepare: (server: Server, peer: boolean) => Promise<Requests>,
) {
  const measure = async (server: Server, peer = false): Promise<Contender> => {
    const requests = await prepare(server, peer)
    return async (seconds) => {
      const load = await bench.load({ url: server.url, requests: requests(seconds), connections, seconds })
      return { value: load.perSecond, ...load }
    }
  }
  const contenders = async (engine: Engine): Promise<Record<string, Contender>> => ({
    'argon2id alone': async (seconds) => ({ value: await bench.hashes(seconds) }),
    bukhindor: await measure(await bench.server(await bench.database(engine))),
    ...(engine === 'sqlite' && { 'better-auth, scrypt': await measure(await betterAuth(bench), true) }),
  })
  const groups = []
  for (const engine of bench.engines) {
    groups.push({
      title: `${title} on ${engineNames[engine]}, ${connections} connections`,
      unit: 'requests/s' as const,
      aim,
      rows: await alternate(bench, await contenders(engine)),
    })
    await bench.stopServers()
  }
  return groups
}

/** Fifty accounts in turn, each from an address of its own. */
async function signingIn(server: Server, peer: boolean): Promise<Requests> {
  if (!peer) {
    const requests = (await signUp(server, 50)).map(({ email }) => post('/api/v1/auth/login', { email, password }))
    return () => requests
  }
  const people = newcomers(20)
  for (const person of people) await peerSignUp(server, person)
  const requests = people.map(({ email }) => post('/api/auth/sign-in/email', { email, password }))
  return () => requests
}

/** Nobody twice: enough people for a processor that hashes a thousand passwords per second. */
async function signingUp(_server: Server, peer: boolean): Promise<Requests> {
  const path = peer ? '/api/auth/sign-up/email' : '/api/v1/auth/register'
  return (seconds) => newcomers(1000 * seconds).map((person) => post(path, person))
}
