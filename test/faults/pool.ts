import { setTimeout as pause } from 'node:timers/promises'
import { createClient, signUp, tally } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import type { Fault } from './support/fault.ts'
import { postgresQuery } from './support/ledger.ts'
import { startSlowPostgres } from './support/proxy.ts'

const POOL = 5
/** Each query takes so long that ten times the pool waits for far more than a second. */
const DELAY = 500

export const pool: Fault = {
  name: 'pool',
  title: 'ten times as many requests at once as there are connections to a slow PostgreSQL',
  holds: 'a bounded wait of 1 s, then 503; no connection leaked',
  quick: true,
  async run(context) {
    const { proxy, direct, url } = await startSlowPostgres(context)
    const server = await context.server({ DATABASE_URL: url, DATABASE_POOL_SIZE: String(POOL) })
    const client = createClient(server.url, { sockets: 10 * POOL })
    const { access_token } = await signUp(client, 'anna@example.org')
    await client.me(access_token) // The first use of a session is noted; what follows only reads.
    const answers = []
    for (let round = 0; round < 3; round++) {
      proxy.delay = DELAY
      answers.push(...(await Promise.all(Array.from({ length: 10 * POOL }, () => client.me(access_token)))))
      proxy.delay = 0
      await pause(DELAY)
    }
    const refused = answers.filter(({ status }) => status === 503)
    const longest = Math.max(...refused.map(({ ms }) => ms))
    const after = await until(async () => {
      const all = await Promise.all(Array.from({ length: 10 * POOL }, () => client.me(access_token)))
      return all.every(({ status }) => status === 200) && all
    })
    const [row] = await postgresQuery(direct)(
      "select count(*)::int as open from pg_stat_activity where datname = current_database() and application_name = 'bukhindor'",
    )
    client.close()
    return {
      ok:
        refused.length > 0 &&
        longest < 2000 &&
        answers.every(({ status }) => status === 200 || status === 503) &&
        Number(row?.open) <= POOL,
      figure: `${tally(answers)}, the longest wait for a 503 ${Math.round(longest)} ms; then ${tally(after)}; ${row?.open} connections of ${POOL}`,
    }
  },
}
