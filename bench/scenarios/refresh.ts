import { join } from 'node:path'
import { type Engine, engineNames } from '../lib/bench.ts'
import { fsyncMilliseconds } from '../lib/machine.ts'
import { post, signUp } from '../lib/people.ts'
import { alternate, type Contender, type Scenario } from '../lib/results.ts'

const connections = 64
const SESSIONS_PER_SECOND = 100

export const refresh: Scenario = {
  name: 'refresh',
  about: 'rotating refresh tokens, each answer’s token used for the next call; durable commits',
  async run(bench) {
    const contenders: Record<string, Contender> = {
      'fsync of 4 KiB, one after the other': async () => {
        const milliseconds = await fsyncMilliseconds(join(bench.folder, 'fsync'))
        return { value: 1000 / milliseconds }
      },
    }
    for (const engine of bench.engines) contenders[`bukhindor on ${engineNames[engine]}`] = await rotating(engine)
    return [
      {
        title: `POST /api/v1/auth/refresh, ${connections} connections`,
        unit: 'requests/s',
        aim: '2 times one fsync after the other on SQLite; 0.5 of me on PostgreSQL',
        rows: await alternate(bench, contenders),
      },
    ]

    async function rotating(engine: Engine): Promise<Contender> {
      const server = await bench.server(await bench.database(engine))
      return async (seconds) => {
        // New sessions each time, as the tokens of the last round stayed with the load generator; and enough of them, as
        // each may be refreshed 120 times in a minute.
        const accounts = await signUp(server, Math.max(2 * connections, Math.ceil(seconds * SESSIONS_PER_SECOND)))
        const requests = accounts.map(({ refreshToken }) =>
          post('/api/v1/auth/refresh', { refresh_token: refreshToken }),
        )
        const load = await bench.load({ url: server.url, requests, connections, seconds, chain: 'refresh_token' })
        return { value: load.perSecond, ...load }
      }
    }
  },
}
