import { execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient } from '../../support/process-client.ts'
import { afterThisProcess, freePort } from '../../support/processes.ts'
import { until } from '../../support/until.ts'
import { type Context, Missing } from './fault.ts'

/**
 * A haproxy in front of servers on the given ports that checks their readiness twice a second. As in production it
 * repeats requests that could not be delivered, but none that may have arrived. Each answer names its server, `s0` for
 * the first, in `x-served-by`. Throws Missing.
 */
export async function startBalancer({ folder, defer }: Context, ports: number[]): Promise<string> {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' })
  } catch {
    throw new Missing('haproxy is not installed')
  }
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  const servers = ports.map((port, n) => `  server s${n} 127.0.0.1:${port} check inter 500ms fall 1 rise 1`)
  writeFileSync(
    file,
    `global
  maxconn 4096
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  retries 3
  option redispatch 1
  retry-on conn-failure
  option httpchk GET /health/ready
listen balancer
  bind 127.0.0.1:${port}
  balance roundrobin
  http-response set-header x-served-by %s
${servers.join('\n')}
`,
  )
  const haproxy = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
  const guard = afterThisProcess('kill -9 "$0"', [String(haproxy.pid)])
  defer(() => {
    guard.kill('SIGKILL')
    haproxy.kill('SIGKILL')
  })
  const url = `http://127.0.0.1:${port}`
  const client = createClient(url)
  await until(async () => (await client.get('/health/ready')).status === 200)
  client.close()
  return url
}
