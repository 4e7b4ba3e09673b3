import { createClient, quantile, signUp, tally } from '../support/process-client.ts'
import type { Fault } from './support/fault.ts'
import { startSlowPostgres } from './support/proxy.ts'

const DELAY = 2000
const DEADLINE = 5000
/** How late a deadline may fire: it is checked four times a second, and the machine may be busy. */
const LATE = 1000

export const slowDatabase: Fault = {
  name: 'slow-database',
  title: 'a slow database: 2 s added to each query by a proxy',
  holds: 'every request ends by its deadline; /health/live keeps answering; requests succeed afterwards',
  quick: true,
  async run(context) {
    const { proxy, url } = await startSlowPostgres(context)
    const server = await context.server({ DATABASE_URL: url, REQUEST_TIMEOUT: `${DEADLINE / 1000}s` })
    const client = createClient(server.url, { sockets: 200 })
    const { access_token, refresh_token } = await signUp(client, 'anna@example.org')
    await client.me(access_token) // The first use of a session is noted; what follows only reads.
    proxy.delay = DELAY
    const slow = Promise.all([
      ...Array.from({ length: 30 }, () => client.me(access_token)),
      ...Array.from({ length: 10 }, (_, n) => client.rename(access_token, `Anna ${n}`)),
      ...Array.from({ length: 10 }, (_, n) => client.register({ email: `slow-${n}@example.org` })),
    ])
    const live = []
    for (let n = 0; n < 20; n++) live.push(await client.get('/health/live'))
    const answers = await slow
    proxy.delay = 0
    const after = await Promise.all(Array.from({ length: 20 }, () => client.refresh(refresh_token)))
    client.close()
    const longest = Math.max(...answers.map(({ ms }) => ms))
    return {
      ok:
        longest < DEADLINE + LATE &&
        answers.every(({ status }) => status === 200 || status === 201 || status === 503) &&
        [...live, ...after].every(({ status }) => status === 200),
      figure: `${answers.length} requests: ${tally(answers)}, the longest ${Math.round(longest)} ms of ${DEADLINE}; live within ${Math.round(
        quantile(
          live.map(({ ms }) => ms),
          1,
        ),
      )} ms; afterwards ${tally(after)}`,
    }
  },
}
