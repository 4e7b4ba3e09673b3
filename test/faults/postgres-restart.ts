import { setTimeout as pause } from 'node:timers/promises'
import { createClient, tally } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import type { Context, Fault, Outcome } from './support/fault.ts'
import { type Audit, auditLedger, postgresQuery, startLedger } from './support/ledger.ts'

/** How long the service is without a database, in ms. */
const AWAY = 2000

/** Stops the database under load and starts it again; checks the answers and the ledger. */
export async function outage(
  context: Context,
  databaseUrl: string,
  away: () => Promise<void>,
  back: () => Promise<string>,
): Promise<Outcome> {
  const server = await context.server({ DATABASE_URL: databaseUrl })
  const client = createClient(server.url)
  const ledger = startLedger(server.url, 'outage', 4)
  await until(async () => ledger.registered.length >= 20)
  await away()
  await pause(AWAY)
  const live = await client.get('/health/live')
  const url = await back()
  const began = performance.now()
  await until(async () => (await client.get('/health/ready')).status === 200)
  const healthy = performance.now() - began
  const before = ledger.registered.length
  await until(async () => ledger.registered.length >= before + 20)
  await ledger.stop()
  const audit: Audit = await auditLedger(postgresQuery(url), ledger.registered)
  const wrong = ledger.answers.filter(
    ({ status, headers }) => status !== 201 && !((status === 503 || status === 409) && headers['retry-after']),
  )
  client.close()
  return {
    ok: audit.lost + audit.doubled + audit.half + wrong.length === 0 && healthy < 5000 && live.status === 200,
    figure: `healthy ${Math.round(healthy)} ms after the database; answers ${tally(ledger.answers)}; ${ledger.registered.length} acknowledged, lost ${audit.lost}, duplicated ${audit.doubled}, partial ${audit.half}; the same process throughout`,
  }
}

export const postgresRestart: Fault = {
  name: 'postgres-restart',
  title: 'PostgreSQL stopped (`immediate`) and started under load',
  holds: 'the process survives; 503 with Retry-After meanwhile; healthy within 5 s; nothing lost or duplicated',
  quick: true,
  async run(context) {
    const postgres = await context.postgres()
    const url = await postgres.createDatabase()
    return outage(
      context,
      url,
      () => postgres.stop('immediate'),
      () => postgres.start().then(() => url),
    )
  },
}
