import { type Bench, engineNames, type Server } from '../lib/bench.ts'
import type { Request } from '../lib/load.ts'
import { cyrillicTerms, latinTerms } from '../lib/names.ts'
import { call, password, post } from '../lib/people.ts'
import { alternate, type Contender, type Scenario } from '../lib/results.ts'

const connections = 4
const limit = 20

export const list: Scenario = {
  name: 'list',
  about: 'the administrators’ list of many users: pages, filter, search',
  async run(bench) {
    const groups = []
    for (const engine of bench.engines) {
      const server = await bench.server(await bench.seeded(engine))
      groups.push({
        title: `GET /api/v1/users on ${engineNames[engine]}, ${count(bench.options.users)} users, ${connections} connections`,
        unit: 'ms at p95' as const,
        aim: 'each under 100 ms; the deep page within 1.5 times the second',
        rows: await alternate(bench, await queries(bench, server)),
      })
      await bench.stopServers()
    }
    return groups
  },
}

const count = (value: number) => value.toLocaleString('en')

async function queries(bench: Bench, server: Server): Promise<Record<string, Contender>> {
  const authorization = await signInAdmin(bench, server)
  const request = (query: string): Request => ({
    path: `/api/v1/users?limit=${limit}${query}`,
    headers: { authorization },
  })
  const after = async (page: number) => {
    const { next_cursor } = await call(server, request(`&page=${page - 1}`))
    return `&cursor=${encodeURIComponent(next_cursor)}`
  }
  const measure = (queries: string[]): Contender => {
    const requests = queries.map(request)
    return async (seconds) => {
      const load = await bench.load({ url: server.url, requests, connections, seconds })
      return { value: load.p95, ...load }
    }
  }
  const deep = Math.floor((bench.options.users * 0.8) / limit)
  const searches = (terms: string[]) => terms.map((term) => `&q=${encodeURIComponent(term)}`)
  return {
    'page 2 by cursor': measure([await after(2)]),
    'first page': measure(['']),
    [`page ${count(deep)} by cursor`]: measure([await after(deep)]),
    'role=admin': measure(['&role=admin']),
    'search, three Latin letters': measure(searches(latinTerms)),
    'search, three Cyrillic letters': measure(searches(cyrillicTerms)),
  }
}

/** Makes an administrator by the command line and signs in. */
export async function signInAdmin(bench: Bench, server: Server): Promise<string> {
  if (!server.data) throw new Error('a contender has no administrators')
  const email = 'administrator@bench.example'
  const options = ['--email', email, '--name', 'Administrator', '--role', 'admin', '--password-stdin']
  await bench.command(server.data, ['user', 'create', ...options], `${password}\n`)
  const { user } = await call(server, post('/api/v1/auth/login', { email, password }))
  return `Bearer ${user.access_token}`
}
