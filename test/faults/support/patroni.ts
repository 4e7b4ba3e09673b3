import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { findBinaries, unprivilegedUser } from '../../support/postgres-binaries.ts'
import { afterThisProcess, freePort } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { type Context, Missing } from './fault.ts'
import { startProxy } from './proxy.ts'

const PASSWORD = 'patroni-of-the-faults'
const LONG_MS = 120_000

/** A PostgreSQL with its Patroni, which reaches etcd through a proxy of its own. */
interface Node {
  name: string
  port: number
  /** Patroni's HTTP interface. */
  api: string
  /** Whether this node answers as the leader. */
  isLeader(): Promise<boolean>
  /** Kills Patroni and PostgreSQL. */
  kill(): void
  /** Starts Patroni, which starts PostgreSQL. */
  start(): void
  /** Cuts the connection to etcd, or restores it. */
  cutOff(isCut: boolean): void
}

/**
 * Three PostgreSQL servers under Patroni in synchronous mode, with one etcd, and haproxy in front that sends connections
 * to the leader: the configuration of docs/scaling.md. Throws Missing.
 */
export async function startPatroni(context: Context) {
  const [found, user] = await Promise.all([findBinaries(), unprivilegedUser()])
  if (!found) throw new Missing('PostgreSQL is not installed')
  const bin: string = found
  for (const program of ['patroni', 'etcd', 'haproxy'])
    try {
      execFileSync(program, [program === 'haproxy' ? '-v' : '--version'], { stdio: 'ignore' })
    } catch {
      throw new Missing(`${program} is not installed`)
    }
  const folder = join(context.folder, 'patroni')
  mkdirSync(folder)
  execFileSync('chmod', ['755', context.folder])
  if (user) chownSync(folder, user.uid, user.gid)
  const launch = (program: string, args: string[]): ChildProcess => {
    const child = spawn(program, args, { ...user, cwd: folder, stdio: 'ignore', env: { PATH: process.env.PATH } })
    const guard = afterThisProcess('kill -9 "$0"', [String(child.pid)])
    child.once('exit', () => guard.kill('SIGKILL'))
    return child
  }

  const [clients, peers] = [await freePort(), await freePort()]
  const url = (port: number) => `http://127.0.0.1:${port}`
  const etcdArgs = [
    ...[
      '--data-dir',
      join(folder, 'etcd'),
      '--listen-client-urls',
      url(clients),
      '--advertise-client-urls',
      url(clients),
    ],
    ...['--listen-peer-urls', url(peers), '--initial-advertise-peer-urls', url(peers)],
    ...['--initial-cluster', `default=${url(peers)}`],
  ]
  let etcd = launch('etcd', etcdArgs)
  const nodes: Node[] = []
  for (const name of ['pg1', 'pg2', 'pg3']) nodes.push(await createNode(name))
  for (const node of nodes) node.start()
  context.defer(() => {
    for (const { kill } of nodes) kill()
    etcd.kill('SIGKILL')
  })

  async function createNode(name: string): Promise<Node> {
    const [port, rest] = [await freePort(), await freePort()]
    const proxy = await startProxy('127.0.0.1', clients)
    context.defer(proxy.close)
    const data = join(folder, name)
    const file = join(folder, `${name}.yml`)
    writeFileSync(file, JSON.stringify(settings({ name, port, rest, etcd: proxy.port, data, bin })))
    let patroni: ChildProcess | undefined
    return {
      name,
      port,
      api: url(rest),
      isLeader: () =>
        fetch(`${url(rest)}/primary`, { signal: AbortSignal.timeout(1000) }).then(
          ({ ok }) => ok,
          () => false,
        ),
      kill() {
        patroni?.kill('SIGKILL')
        try {
          const [pid] = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
          process.kill(Number(pid), 'SIGKILL')
        } catch {} // It does not run.
      },
      start() {
        patroni = launch('patroni', [file])
      },
      cutOff: (isCut) => proxy.cut(isCut),
    }
  }

  const leader = async (): Promise<Node | undefined> => {
    for (const node of nodes) if (await node.isLeader()) return node
  }
  /** Waits until there is a leader with a synchronous standby and a third member. */
  const whole = () =>
    until(
      async () => {
        const one = await leader()
        if (!one) return
        const response = await fetch(`${one.api}/cluster`).catch(() => null)
        const { members = [] } = response?.ok
          ? ((await response.json()) as { members: { role: string; state: string }[] })
          : {}
        const well = members.filter(({ state }) => ['running', 'streaming'].includes(state))
        return well.length === 3 && well.some(({ role }) => role === 'sync_standby') ? one : undefined
      },
      { patience: LONG_MS, interval: 500 },
    )
  await whole()

  return {
    nodes,
    leader,
    whole,
    /** The database through haproxy. */
    url: `postgres://postgres:${PASSWORD}@127.0.0.1:${await startHaproxy()}/postgres`,
    /** Moves the leadership to another node, in order. */
    async switchOver(): Promise<void> {
      const one = await leader()
      const headers = { 'content-type': 'application/json' }
      await fetch(`${one?.api}/switchover`, { method: 'POST', headers, body: JSON.stringify({ leader: one?.name }) })
    },
    /** Stops etcd for a time in ms. */
    async withoutEtcd(ms: number): Promise<void> {
      etcd.kill('SIGKILL')
      await pause(ms)
      etcd = launch('etcd', etcdArgs)
    },
  }

  async function startHaproxy(): Promise<number> {
    const port = await freePort()
    const file = join(folder, 'haproxy.cfg')
    const servers = nodes.map(
      ({ name, port, api }) => `  server ${name} 127.0.0.1:${port} check port ${new URL(api).port}`,
    )
    writeFileSync(
      file,
      `global
  maxconn 1000
defaults
  mode tcp
  timeout connect 2s
  timeout client 30m
  timeout server 30m
listen postgres
  bind 127.0.0.1:${port}
  option httpchk GET /primary
  http-check expect status 200
  default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
${servers.join('\n')}
`,
    )
    const haproxy = launch('haproxy', ['-db', '-f', file])
    context.defer(() => haproxy.kill('SIGKILL'))
    return port
  }
}

interface Settings {
  name: string
  port: number
  rest: number
  etcd: number
  data: string
  bin: string
}

/** Patroni's configuration; JSON is valid YAML. */
const settings = ({ name, port, rest, etcd, data, bin }: Settings) => ({
  scope: 'bukhindor',
  name,
  restapi: { listen: `127.0.0.1:${rest}`, connect_address: `127.0.0.1:${rest}` },
  etcd3: { hosts: [`127.0.0.1:${etcd}`], use_proxies: true }, // Otherwise it finds the address of etcd itself.
  bootstrap: {
    dcs: {
      ...{ ttl: 20, loop_wait: 5, retry_timeout: 5, synchronous_mode: true },
      postgresql: { use_pg_rewind: true, parameters: { max_connections: 100, wal_log_hints: 'on' } },
    },
    initdb: [{ encoding: 'UTF8' }, 'data-checksums'],
    pg_hba: ['host replication all 127.0.0.1/32 scram-sha-256', 'host all all 127.0.0.1/32 scram-sha-256'],
  },
  postgresql: {
    ...{ listen: `127.0.0.1:${port}`, connect_address: `127.0.0.1:${port}`, data_dir: data, bin_dir: bin },
    authentication: {
      superuser: { username: 'postgres', password: PASSWORD },
      replication: { username: 'replicator', password: PASSWORD },
      rewind: { username: 'rewinder', password: PASSWORD },
    },
    parameters: { unix_socket_directories: '' },
    pgpass: `${data}.pgpass`,
  },
})
