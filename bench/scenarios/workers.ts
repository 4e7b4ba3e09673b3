import { engineNames, type Server } from '../lib/bench.ts'
import { signUp } from '../lib/people.ts'
import { alternate, type Contender, type Scenario } from '../lib/results.ts'

const connections = 64

export const workers: Scenario = {
  name: 'workers',
  about: 'two processes on one port against one; nothing is pinned, and the load shares the cores',
  async run(bench) {
    const groups = []
    for (const engine of bench.engines) {
      const measure = async (server: Server): Promise<Contender> => {
        const requests = (await signUp(server, 100)).map(({ authorization }) => ({
          path: '/api/v1/auth/me',
          headers: { authorization },
        }))
        return async (seconds) => {
          const load = await bench.load({ url: server.url, requests, connections, seconds }, '')
          return { value: load.perSecond, ...load }
        }
      }
      const start = async (count: string) =>
        measure(await bench.server(await bench.database(engine), { env: { WORKERS: count }, cpus: '' }))
      groups.push({
        title: `GET /api/v1/auth/me on ${engineNames[engine]} by several processes, ${connections} connections`,
        unit: 'requests/s' as const,
        aim: '1.7 times on two cores',
        rows: await alternate(bench, { 'WORKERS=1': await start('1'), 'WORKERS=2': await start('2') }),
      })
      await bench.stopServers()
    }
    return groups
  },
}
