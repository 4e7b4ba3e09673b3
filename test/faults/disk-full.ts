import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, signUp, tally } from '../support/process-client.ts'
import { type Fault, Missing } from './support/fault.ts'
import { sqliteQuery } from './support/ledger.ts'

export const diskFull: Fault = {
  name: 'disk-full',
  title: 'the disk is full (8 MiB tmpfs)',
  holds: 'writes 503 or 507, reads 200, no corruption, recovers by itself',
  quick: true,
  async run({ folder, server: start, defer }) {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk], { stdio: 'pipe' })
    } catch {
      throw new Missing('a tmpfs can be mounted by root only')
    }
    defer(() => execFileSync('umount', ['-l', disk]))
    const server = await start({ DATA_DIR: disk })
    const client = createClient(server.url)
    const { access_token } = await signUp(client, 'anna@example.org')
    const filler = join(disk, 'filler')
    assert.throws(() => writeFileSync(filler, Buffer.alloc(8 << 20)), { code: 'ENOSPC' })
    const writes = []
    const reads = []
    for (let n = 0; n < 200; n++) {
      writes.push(await client.rename(access_token, `Anna ${'x'.repeat(80)} ${n}`))
      reads.push(await client.me(access_token))
    }
    rmSync(filler)
    const after = await client.rename(access_token, 'Anna')
    const refused = writes.filter(({ status }) => status !== 200)
    await server.stop('SIGTERM')
    const [check] = await sqliteQuery(join(disk, 'bukhindor.db'))('pragma integrity_check')
    client.close()
    return {
      ok:
        refused.length > 0 &&
        refused.every(({ status }) => status === 503 || status === 507) &&
        [...reads, after].every(({ status }) => status === 200) &&
        check?.integrity_check === 'ok',
      figure: `writes ${tally(writes)}; reads ${tally(reads)}; with free space again ${after.status}; integrity ${check?.integrity_check}`,
    }
  },
}
