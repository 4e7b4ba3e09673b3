import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { quantile } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import type { Context, Fault, Outcome } from './support/fault.ts'
import { auditLedger, postgresQuery, sqliteQuery, startLedger } from './support/ledger.ts'

const title = (engine: string) => `kill -9 under writes, ${engine}`
const holds = 'no acknowledged write lost, none partial, integrity clean, ready within 5 s'

async function killAgainAndAgain(context: Context, env: Record<string, string>) {
  const acknowledged: string[] = []
  const starts: number[] = []
  const kills = context.quick ? 5 : 50
  for (let kill = 0; kill <= kills; kill++) {
    const began = performance.now()
    const server = await context.server(env)
    starts.push(performance.now() - began)
    if (kill === kills) break
    const ledger = startLedger(server.url, `run${kill}`)
    await until(async () => ledger.registered.length >= 3)
    await pause(Math.random() * 200)
    await server.stop('SIGKILL')
    await ledger.stop()
    acknowledged.push(...ledger.registered)
  }
  return { acknowledged, starts: starts.slice(1), kills }
}

function judge(
  { acknowledged, starts, kills }: Awaited<ReturnType<typeof killAgainAndAgain>>,
  { lost, doubled, half, users }: Awaited<ReturnType<typeof auditLedger>>,
  integrity: string,
): Outcome {
  const slowest = Math.max(...starts)
  return {
    ok: lost + doubled + half === 0 && integrity === 'ok' && slowest < 5000,
    figure: `${kills} kills, ${acknowledged.length} acknowledged of ${users} written; lost ${lost}, duplicated ${doubled}, partial ${half}; integrity ${integrity}; ready after ${Math.round(quantile(starts, 0.5))} ms, at most ${Math.round(slowest)}`,
  }
}

export const killSqlite: Fault = {
  name: 'kill-sqlite',
  title: title('SQLite'),
  holds,
  quick: true,
  async run(context) {
    const result = await killAgainAndAgain(context, {})
    const query = sqliteQuery(join(context.folder, 'data', 'bukhindor.db'))
    const [check] = await query('pragma integrity_check')
    return judge(result, await auditLedger(query, result.acknowledged), String(check?.integrity_check))
  },
}

export const killPostgres: Fault = {
  name: 'kill-postgres',
  title: title('PostgreSQL'),
  holds,
  quick: true,
  async run(context) {
    const postgres = await context.postgres()
    const url = await postgres.createDatabase()
    const result = await killAgainAndAgain(context, { DATABASE_URL: url })
    const query = postgresQuery(url)
    await query('create extension amcheck')
    const integrity = await query(
      `select bt_index_check(index => c.oid, heapallindexed => true) from pg_index i
       join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam join pg_namespace n on n.oid = c.relnamespace
       where a.amname = 'btree' and n.nspname = 'public'`,
    ).then(
      () => 'ok',
      (error) => error.message,
    )
    return judge(result, await auditLedger(query, result.acknowledged), integrity)
  },
}
