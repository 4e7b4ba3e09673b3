import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import { type Fault, SETTINGS } from './support/fault.ts'
import { auditLedger, sqliteQuery, startLedger } from './support/ledger.ts'

const run = promisify(execFile)

export const backup: Fault = {
  name: 'backup',
  title: 'backup under load, restored elsewhere',
  holds: 'every row equal, none partial',
  quick: true,
  async run(context) {
    const server = await context.server()
    const copy = join(context.folder, 'copy.db')
    const bukhindor = (folder: string, ...args: string[]) =>
      run(process.execPath, ['bin/bukhindor.js', ...args], {
        env: { ...process.env, ...SETTINGS, DATA_DIR: join(context.folder, folder) },
      })
    const ledger = startLedger(server.url, 'backup')
    await until(async () => ledger.registered.length >= 30)
    const before = [...ledger.registered]
    await bukhindor('data', 'backup', copy)
    const meanwhile = ledger.registered.length - before.length
    await ledger.stop()
    await bukhindor('elsewhere', 'restore', copy)
    const query = sqliteQuery(join(context.folder, 'elsewhere', 'bukhindor.db'))
    const { lost, half, users } = await auditLedger(query, before)
    const [check] = await query('pragma integrity_check')
    // What was there at the copy has not changed since, but for the mails that went out: each row must be the same.
    const [live, restored] = await Promise.all(
      [sqliteQuery(join(context.folder, 'data', 'bukhindor.db')), query].map(
        async (ask) => new Map((await ask('select * from users')).map((row) => [row.id, JSON.stringify(row)])),
      ),
    )
    const different = [...(restored ?? [])].filter(([id, row]) => live?.get(id) !== row).length
    const other = await context.server({ DATA_DIR: join(context.folder, 'elsewhere') })
    const client = createClient(other.url)
    const login = await client.login({ email: before[0] as string })
    client.close()
    return {
      ok: lost + half + different === 0 && check?.integrity_check === 'ok' && login.status === 200,
      figure: `${meanwhile} writes during the copy; of ${before.length} acknowledged before it ${lost} lost; ${users} users restored, ${half} partial, ${different} different; login on the copy ${login.status}`,
    }
  },
}
