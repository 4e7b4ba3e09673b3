import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Postgres, PostgresOptions } from '../support/postgres.ts'
import { type Answer, createClient, signUp, tally } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import { outage } from './postgres-restart.ts'
import type { Context, Fault } from './support/fault.ts'
import { startStandby } from './support/standby.ts'

/** How long there are two standbys and no primary, in ms. */
const NO_PRIMARY_MS = 1500

export const demoted: Fault = {
  name: 'demoted',
  title:
    'the primary becomes a standby and keeps running, the other is promoted; a DSN with both hosts, with and without load',
  holds: 'the service moves to the new primary within 5 s; no response from the standby, which stays behind',
  quick: true,
  async run(context) {
    const quiet = await quietSwitch(context)
    const loaded = await startPair(context)
    const outcome = await outage(
      context,
      loaded.url,
      () => demote(loaded.primary),
      () => loaded.standby.promote().then(() => loaded.promotedUrl),
    )
    return { ok: quiet.ok && outcome.ok, figure: `quiet: ${quiet.figure}; under load: ${outcome.figure}` }
  },
}

async function startPair(context: Context, options?: PostgresOptions) {
  const primary = await context.postgres(options)
  const direct = await primary.createDatabase()
  const standby = await startStandby(primary)
  context.defer(standby.stop)
  const one = `127.0.0.1:${primary.port}`
  const other = `127.0.0.1:${standby.port}`
  return { primary, standby, url: direct.replace(one, `${one},${other}`), promotedUrl: direct.replace(one, other) }
}

/** The cluster continues as a standby without replication: its data is old and stays old. */
async function demote(primary: Postgres): Promise<void> {
  await primary.stop('fast')
  writeFileSync(join(primary.dataDir, 'standby.signal'), '')
  await primary.start()
}

/** No requests are sent while the roles change; a second instance on the new primary ends and starts sessions. */
async function quietSwitch(context: Context) {
  const { primary, standby, url, promotedUrl } = await startPair(context, { durable: false })
  const server = await context.server({ DATABASE_URL: url })
  const client = createClient(server.url)
  const ended = await signUp(client, 'anna@example.org')
  const kept = await signUp(client, 'boris@example.org')
  await client.me(ended.access_token)

  await demote(primary)
  const during: Answer[] = []
  const noPrimaryUntil = performance.now() + NO_PRIMARY_MS
  while (performance.now() < noPrimaryUntil) {
    during.push(await client.me(ended.access_token), await client.me(kept.access_token))
    during.push(await client.refresh(kept.refresh_token), await client.get('/health/ready'))
    await pause(50)
  }

  await standby.promote()
  const other = await context.server({ DATABASE_URL: promotedUrl })
  const elsewhere = createClient(other.url)
  await elsewhere.post('/api/v1/auth/logout', { token: ended.access_token, body: {} })
  const begun = await signUp(elsewhere, 'clara@example.org')
  const began = performance.now()
  const after: [string, number][] = []
  await until(
    async () => {
      for (const [name, token] of Object.entries({ ended, kept, begun }))
        after.push([name, (await client.me(token.access_token)).status])
      return (await client.get('/health/ready')).status === 200 && after.slice(-3).every(([, status]) => status !== 503)
    },
    { patience: 10_000 },
  ).catch(() => null)
  const healthy = performance.now() - began
  const renamed = await client.rename(begun.access_token, 'Clara')
  client.close()
  elsewhere.close()
  const right = { ended: 401, kept: 200, begun: 200 }
  const wrong = after.filter(([name, status]) => status !== 503 && status !== right[name as keyof typeof right])
  const answered = during.filter(({ status, headers }) => !(status === 503 && headers['retry-after']))
  return {
    ok: wrong.length + answered.length === 0 && healthy < 5000 && renamed.status === 200,
    figure: `without a primary ${tally(during)}; moved after ${Math.round(healthy)} ms, ${wrong.length} answers of ${after.length} from the standby, then a write ${renamed.status}`,
  }
}
