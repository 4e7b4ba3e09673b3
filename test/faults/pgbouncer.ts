import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, signUp, tally } from '../support/process-client.ts'
import { afterThisProcess, freePort } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { manyRequests } from './sigterm.ts'
import { startBalancer } from './support/balancer.ts'
import { type Context, type Fault, Missing } from './support/fault.ts'
import { postgresQuery } from './support/ledger.ts'
import { startStandby } from './support/standby.ts'

const SERVER_CONNECTIONS = 5

/** A pgbouncer in transaction mode before the server of `url`. Returns the URL through it. Throws Missing. */
async function startPgbouncer({ folder, defer }: Context, url: string): Promise<{ url: string; version: string }> {
  let version: string
  try {
    version = /[\d.]+/.exec(execFileSync('pgbouncer', ['--version'], { encoding: 'utf8' }))?.[0] ?? ''
  } catch {
    throw new Missing('pgbouncer is not installed')
  }
  const { hostname, port, username, password } = new URL(url)
  const listen = await freePort()
  const [users, file] = [join(folder, 'users.txt'), join(folder, 'pgbouncer.ini')]
  writeFileSync(users, `"${username}" "${decodeURIComponent(password)}"\n`)
  writeFileSync(
    file,
    `[databases]
* = host=${hostname} port=${port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = ${SERVER_CONNECTIONS}
max_client_conn = 200
`,
  )
  for (const path of [folder, users, file]) chmodSync(path, 0o755)
  const user = process.getuid?.() === 0 ? ['--user', 'postgres'] : []
  const pgbouncer = spawn('pgbouncer', ['--quiet', ...user, file], { stdio: 'ignore' })
  const guard = afterThisProcess('kill -9 "$0"', [String(pgbouncer.pid)])
  defer(() => {
    guard.kill('SIGKILL')
    pgbouncer.kill('SIGKILL')
  })
  const through = new URL(url)
  through.port = String(listen)
  const query = postgresQuery(through.href)
  await until(() => query('select 1').catch(() => null))
  through.searchParams.set('pgbouncer', 'true')
  return { url: through.href, version }
}

export const pgbouncer: Fault = {
  name: 'pgbouncer',
  title: 'two instances behind haproxy, through pgbouncer in transaction mode, on a primary with a synchronous standby',
  holds: '0 failed; no feature needs a server session',
  quick: true,
  async run(context) {
    const primary = await context.postgres()
    const direct = await primary.createDatabase('bouncer')
    const standby = await startStandby(primary)
    context.defer(standby.stop)
    const { url, version } = await startPgbouncer(context, direct)
    const ports = [await freePort(), await freePort()]
    await Promise.all(ports.map((port) => context.server({ DATABASE_URL: url, PORT: String(port) })))
    const client = createClient(await startBalancer(context, ports), { sockets: 16 })
    const user = await signUp(client, 'anna@example.org')
    const count = context.quick ? 2000 : 10_000
    const answers = await manyRequests(client, user.access_token, count, () => {})
    const others = await Promise.all([
      client.refresh(user.refresh_token),
      ...Array.from({ length: 20 }, (_, n) => client.register({ email: `p${n}@example.org` })),
    ])
    const logout = await client.post('/api/v1/auth/logout', { token: user.access_token })
    const after = await Promise.all(Array.from({ length: 20 }, () => client.me(user.access_token)))
    const [row] = await postgresQuery(direct)(
      "select count(*)::int as open from pg_stat_activity where datname = 'bouncer' and pid <> pg_backend_pid()",
    )
    const failed = [...answers, ...others, logout].filter(({ status }) => status !== 200 && status !== 201).length
    client.close()
    return {
      ok: failed === 0 && after.every(({ status }) => status === 401) && Number(row?.open) <= SERVER_CONNECTIONS,
      figure: `pgbouncer ${version}: ${failed} failed of ${answers.length + others.length + 1} (${tally([...answers, ...others])}); after a logout ${tally(after)}; ${row?.open} server connections`,
    }
  },
}
