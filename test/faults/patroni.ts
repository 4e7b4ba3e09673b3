import { setTimeout as pause } from 'node:timers/promises'
import { createClient, signUp, tally } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import type { Context, Fault } from './support/fault.ts'
import { auditLedger, postgresQuery, startLedger } from './support/ledger.ts'
import { startPatroni } from './support/patroni.ts'

const PEOPLE = 20
const WITHOUT_ETCD_MS = 60_000
const MAX_AFTER_LEADER_MS = 5000

type Cluster = Awaited<ReturnType<typeof startPatroni>>

/** What is done to the cluster; each resolves when it has been done. */
const ACTS: [name: string, act: (cluster: Cluster) => Promise<void>][] = [
  [
    'leader killed',
    async (cluster) => {
      const leader = await cluster.leader()
      leader?.kill()
      await until(async () => (await other(cluster, leader?.name)) !== undefined, { patience: 60_000, interval: 50 })
      leader?.start()
    },
  ],
  [
    'switchover',
    async (cluster) => {
      const before = (await cluster.leader())?.name
      await cluster.switchOver()
      await until(async () => (await other(cluster, before)) !== undefined, { patience: 60_000, interval: 50 })
    },
  ],
  [
    'leader cut off from etcd',
    async (cluster) => {
      const leader = await cluster.leader()
      leader?.cutOff(true)
      await until(async () => (await other(cluster, leader?.name)) !== undefined, { patience: 90_000, interval: 50 })
      leader?.cutOff(false)
    },
  ],
  ['etcd gone for a minute', (cluster) => cluster.withoutEtcd(WITHOUT_ETCD_MS)],
]

async function other(cluster: Cluster, name?: string) {
  const leader = await cluster.leader()
  return leader && leader.name !== name ? leader : undefined
}

export const patroni: Fault = {
  name: 'patroni',
  title:
    'Patroni with three PostgreSQL in synchronous mode, etcd and haproxy: leader killed, switched over, cut off from etcd; etcd gone for a minute',
  holds:
    'nothing acknowledged is lost or duplicated, nobody is signed out, first write within 5 s of a leader, the same process',
  quick: false,
  async run(context: Context) {
    const cluster = await startPatroni(context)
    const server = await context.server({ DATABASE_URL: cluster.url })
    const client = createClient(server.url)
    const people = []
    for (let n = 0; n < PEOPLE; n++) people.push(await signUp(client, `person-${n}@example.org`))
    const ledger = startLedger(server.url, 'patroni', 3)
    await until(async () => ledger.registered.length >= 20)

    const figures: string[] = []
    let isLate = false
    for (const [name, act] of ACTS) {
      const gap = watchGap(() => ledger.registered.length)
      await act(cluster)
      await until(() => cluster.leader(), { patience: 60_000, interval: 20 })
      const led = performance.now()
      const before = ledger.registered.length
      await until(async () => ledger.registered.length > before, { patience: 60_000, interval: 20 })
      const after = performance.now() - led
      isLate ||= after > MAX_AFTER_LEADER_MS
      figures.push(`${name}: no write for ${seconds(gap())}, the first ${seconds(after)} after the leader`)
      await cluster.whole()
      await pause(1000)
    }
    await ledger.stop()
    const audit = await auditLedger(postgresQuery(cluster.url), ledger.registered)
    const refreshed = await Promise.all(people.map(({ refresh_token }) => client.refresh(refresh_token)))
    const signedOut = refreshed.filter(({ status }) => status !== 200).length
    client.close()
    return {
      ok: audit.lost + audit.doubled + audit.half + signedOut === 0 && !isLate,
      figure: `${figures.join('; ')}; ${ledger.registered.length} acknowledged (${tally(ledger.answers)}), lost ${audit.lost}, duplicated ${audit.doubled}, partial ${audit.half}; ${signedOut} of ${PEOPLE} signed out; the same process throughout`,
    }
  },
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Measures the longest time in which a count did not grow. Returns a function that ends it and returns ms. */
function watchGap(count: () => number): () => number {
  let [last, changedAt, longest] = [count(), performance.now(), 0]
  const look = () => {
    const now = performance.now()
    longest = Math.max(longest, now - changedAt)
    if (count() !== last) [last, changedAt] = [count(), now]
  }
  const timer = setInterval(look, 10)
  return () => {
    look()
    clearInterval(timer)
    return longest
  }
}
