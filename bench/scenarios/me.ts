import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { type Bench, type Engine, engineNames, type Server } from '../lib/bench.ts'
import type { Request } from '../lib/load.ts'
import { call, newcomers, post, signUp } from '../lib/people.ts'
import { alternate, type Contender, type Scenario } from '../lib/results.ts'

const connections = 64

export const me: Scenario = {
  name: 'me',
  about: 'an authenticated request, everything on, against bare servers and the peer',
  async run(bench) {
    const groups = []
    for (const engine of bench.engines) {
      groups.push({
        title: `GET /api/v1/auth/me on ${engineNames[engine]}, ${connections} connections, 100 accounts in turn`,
        unit: 'requests/s' as const,
        aim:
          engine === 'sqlite' ? '0.75 of node:http with the same bytes' : '1.5 of a prepared select per request by pg',
        rows: await alternate(bench, await contenders(bench, engine)),
      })
      await bench.stopServers()
    }
    return groups
  },
}

async function contenders(bench: Bench, engine: Engine): Promise<Record<string, Contender>> {
  const server = await bench.server(await bench.database(engine))
  const accounts = await signUp(server, 100)
  const requests = accounts.map(({ authorization }) => ({ path: '/api/v1/auth/me', headers: { authorization } }))
  const measure =
    (target: Server, of: Request[] = requests) =>
    async (seconds: number) => {
      const load = await bench.load({ url: target.url, requests: of, connections, seconds })
      return { value: load.perSecond, ...load }
    }

  const answer = join(bench.folder, 'me.json')
  await writeFile(answer, JSON.stringify(await capture(server, requests[0] as Request)))
  const bare = measure(await bench.contender('node-http', { ANSWER: answer }))
  if (engine === 'postgres') {
    const env = { DATABASE_URL: await bench.postgresDatabase() }
    return {
      'pg, prepared select': measure(await bench.contender('pg-select', env)),
      'node:http, same bytes': bare,
      bukhindor: measure(server),
    }
  }
  const select = await bench.contender('sqlite-select', { DATABASE: join(bench.folder, 'select.db') })
  const peer = await betterAuth(bench)
  const [person] = newcomers(1)
  const { authorization } = await peerSignUp(peer, person as object)
  return {
    'node:http, same bytes': bare,
    'better-sqlite3, prepared select': measure(select),
    bukhindor: measure(server),
    'better-auth get-session': measure(peer, [{ path: '/api/auth/get-session', headers: { authorization } }]),
  }
}

/** What node:http cannot add by itself of an answer: status, headers as they were written, body. */
function capture(
  server: Server,
  { path, headers }: Request,
): Promise<{ status: number; headers: string[]; body: string }> {
  const automatic = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding'])
  return new Promise((resolve, reject) => {
    get(`${server.url}${path}`, { headers }, async (response) => {
      const body = Buffer.concat(await response.toArray()).toString()
      const kept = response.rawHeaders.filter((_, index, all) => !automatic.has(String(all[index & ~1]).toLowerCase()))
      resolve({ status: response.statusCode ?? 0, headers: kept, body })
    }).once('error', reject)
  })
}

/** The peer on a database of its own; see `contenders/better-auth.ts`. */
export function betterAuth(bench: Bench): Promise<Server> {
  const env = { DATABASE: join(bench.folder, `peer-${randomBytes(4).toString('hex')}.db`) }
  return bench.contender('better-auth', { ...env, SECRET: randomBytes(32).toString('base64') }, '/api/auth/ok')
}

/** Signs a person up with the peer. */
export async function peerSignUp(peer: Server, person: object): Promise<{ authorization: string }> {
  const request = post('/api/auth/sign-up/email', person)
  // fetch says that it is fetch, and the peer then takes it for a browser, which names its origin.
  const { token } = await call(peer, { ...request, headers: { ...request.headers, origin: peer.url } })
  return { authorization: `Bearer ${token}` }
}
