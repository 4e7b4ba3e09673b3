import { type Answer, type Client, createClient, signUp, tally } from '../support/process-client.ts'
import { freePort } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { startBalancer } from './support/balancer.ts'
import type { Context, Fault } from './support/fault.ts'

/** Sends `count` reads and writes over keep-alive connections, as fast as sixteen clients can. */
export async function manyRequests(client: Client, token: string, count: number, onProgress: (done: number) => void) {
  const answers: Answer[] = []
  let sent = 0
  const call = async () => {
    while (sent < count) {
      const n = sent++
      answers.push(await (n % 50 ? client.me(token) : client.rename(token, `Anna ${n}`)))
      onProgress(answers.length)
    }
  }
  await Promise.all(Array.from({ length: 16 }, call))
  return answers
}

async function run(context: Context) {
  const ports = [await freePort(), await freePort()]
  const [leaving] = await Promise.all(ports.map((port) => context.server({ PORT: String(port) })))
  if (!leaving) throw new Error('no server')
  const client = createClient(await startBalancer(context, ports), { sockets: 16 })
  const direct = createClient(leaving.url, { keepAlive: false })
  const { access_token } = await signUp(client, 'anna@example.org')
  const count = context.quick ? 5000 : 10_000
  let ended: Promise<{ status: number | null; ms: number; turned: boolean }> | undefined
  const answers = await manyRequests(client, access_token, count, (done) => {
    if (done < count / 4 || ended) return
    const began = performance.now()
    const stopped = leaving.stop('SIGTERM')
    const turned = until(async () => (await direct.get('/health/ready')).status === 503, { patience: 5000 }).catch(
      () => false,
    )
    ended = Promise.all([stopped, turned]).then(([status, turned]) => ({
      status,
      turned,
      ms: performance.now() - began,
    }))
  })
  const end = await ended
  const failed = answers.filter(({ status }) => status !== 200).length
  client.close()
  direct.close()
  return {
    ok: failed === 0 && end?.status === 0 && end.ms < 10_000 && end.turned,
    figure: `${failed} failed of ${answers.length} (${tally(answers)}); exit status ${end?.status} after ${Math.round(end?.ms ?? 0)} ms; readiness ${end?.turned ? 'failed first' : 'did not fail'}`,
  }
}

export const sigterm: Fault = {
  name: 'sigterm',
  title: 'SIGTERM of one of two instances under keep-alive load, behind haproxy',
  holds: '0 failed of 10,000; exit 0 within 10 s; readiness fails first',
  quick: true,
  run,
}
