import { engineNames } from '../lib/bench.ts'
import { signUp } from '../lib/people.ts'
import { type Sample, type Scenario, summarise } from '../lib/results.ts'

const connections = 32
const slice = 5

export const soak: Scenario = {
  name: 'soak',
  about: 'a very large number of requests: does the memory grow?',
  async run(bench) {
    const groups = []
    for (const engine of bench.engines) {
      const server = await bench.server(await bench.database(engine))
      const accounts = await signUp(server, 100)
      const requests = accounts.flatMap(({ authorization }, index) => [
        { path: '/api/v1/auth/me', headers: { authorization } },
        { path: index % 10 ? '/api/v1/auth/me' : '/api/v1/auth/sessions', headers: { authorization } },
      ])
      const resting = server.memory()
      const seen: { requests: number; memory: number; errors: number }[] = []
      let sent = 0
      while (sent < bench.options.soak) {
        const load = await bench.load({ url: server.url, requests, connections, seconds: slice })
        sent += load.requests
        seen.push({ requests: sent, memory: server.memory(), errors: load.errors })
      }
      const at = (share: number) => seen.find(({ requests }) => requests >= sent * share)
      const row = (share: number): [string, Sample[]] => {
        const point = at(share)
        return [
          `after ${(point?.requests ?? 0).toLocaleString('en')} requests`,
          [{ value: point?.memory ?? Number.NaN, errors: point?.errors }],
        ]
      }
      groups.push({
        title: `Resident memory in a soak on ${engineNames[engine]}`,
        unit: 'MiB' as const,
        aim: 'less than 3 % more after all than after a half',
        rows: summarise(new Map([row(0.5), ['before any', [{ value: resting }]], row(0.1), row(1)])),
      })
      await bench.stopServers()
    }
    return groups
  },
}
