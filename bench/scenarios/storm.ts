import { engineNames } from '../lib/bench.ts'
import type { Stream } from '../lib/paced.ts'
import { password, post, signUp } from '../lib/people.ts'
import { type Sample, type Scenario, summarise } from '../lib/results.ts'
import { median } from '../lib/stats.ts'

const rate = 200

export const storm: Scenario = {
  name: 'storm',
  about: 'how long others wait while logins arrive at three times what the processor can hash',
  async run(bench) {
    const groups = []
    const capacity = median([await bench.hashes(2), await bench.hashes(2), await bench.hashes(2)])
    for (const engine of bench.engines) {
      const server = await bench.server(await bench.database(engine))
      const accounts = await signUp(server, 50)
      const others: Stream = {
        name: 'me',
        rate,
        requests: accounts.map(({ authorization }) => ({ path: '/api/v1/auth/me', headers: { authorization } })),
      }
      const logins: Stream = {
        name: 'login',
        rate: capacity * 3,
        requests: accounts.map(({ email }) => post('/api/v1/auth/login', { email, password })),
      }
      const waits = new Map<string, Sample[]>()
      const served = new Map<string, Sample[]>()
      const keep = (into: typeof waits, name: string, sample: Sample) =>
        into.set(name, [...(into.get(name) ?? []), sample])
      await bench.paced({ url: server.url, seconds: bench.options.warmup, streams: [others, logins] })
      for (let round = 0; round < bench.options.rounds; round++) {
        const { seconds } = bench.options
        const rest = await bench.paced({ url: server.url, seconds, streams: [others] })
        const under = await bench.paced({ url: server.url, seconds, streams: [others, logins] })
        const [calm, stormy, login] = [rest.me, under.me, under.login]
        if (!calm || !stormy || !login) throw new Error('a stream is missing')
        keep(waits, 'me at rest', { value: calm.answered.p95, ...calm.answered })
        keep(waits, 'me in the storm', { value: stormy.answered.p95, ...stormy.answered, errors: stormy.failures })
        keep(waits, 'login that is served', { value: login.answered.p95, ...login.answered })
        keep(waits, 'login that is refused', { value: login.refused.p95, ...login.refused, errors: login.broken })
        keep(served, 'argon2id alone', { value: capacity })
        keep(served, 'logins served', { value: login.answered.perSecond })
        keep(served, 'logins refused', { value: login.refused.perSecond })
      }
      groups.push(
        {
          title: `Waiting in a storm of ${Math.round(capacity * 3)} logins/s on ${engineNames[engine]}, beside ${rate} me/s`,
          unit: 'ms at p95' as const,
          aim: 'me under 3 times its p95 at rest; refusals within 50 ms',
          rows: summarise(waits),
        },
        {
          title: `Served in that storm on ${engineNames[engine]}`,
          unit: 'requests/s' as const,
          aim: '0.85 of argon2id alone',
          rows: summarise(served),
        },
      )
      await bench.stopServers()
    }
    return groups
  },
}
