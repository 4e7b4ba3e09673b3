import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, signUp } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import { type Fault, Missing } from './support/fault.ts'

const COMMITS = 100

export const fsync: Fault = {
  name: 'fsync',
  title: 'acknowledged writes on SQLite, the system calls counted by strace',
  holds: 'at least one fsync per acknowledged commit',
  quick: true,
  async run({ server: start, folder }) {
    try {
      execFileSync('strace', ['-V'], { stdio: 'ignore' })
    } catch {
      throw new Missing('strace is not installed')
    }
    const server = await start()
    const client = createClient(server.url, { sockets: 1 })
    const { access_token } = await signUp(client, 'anna@example.org')
    await client.rename(access_token, 'Anna 0')
    const log = join(folder, 'calls')
    const strace = spawn('strace', ['-f', '-e', 'trace=fsync,fdatasync', '-o', log, '-p', String(server.pid)])
    await until(async () => /attached/.test(String((await once(strace.stderr, 'data'))[0])))
    for (let n = 1; n <= COMMITS; n++) {
      const { status } = await client.rename(access_token, `Anna ${n}`)
      if (status !== 200) throw new Error(`PATCH answered ${status}`)
    }
    strace.kill('SIGINT')
    await once(strace, 'close')
    const calls = readFileSync(log, 'utf8').match(/f(data)?sync\(/g)?.length ?? 0
    client.close()
    return { ok: calls >= COMMITS, figure: `${calls} fsyncs for ${COMMITS} acknowledged commits` }
  },
}
