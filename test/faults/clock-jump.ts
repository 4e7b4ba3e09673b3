import { globSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, signUp } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import { type Fault, Missing } from './support/fault.ts'
import { sqliteQuery } from './support/ledger.ts'

const DAYS_30 = 30 * 86_400_000
const SLACK = 60_000

/** Settings that let the clock of a server be set by the file `clock`, such as to `+3600`. Throws Missing. */
export function fakeTime(clock: string): Record<string, string> {
  const [library] = globSync('/usr/lib/{*/,}faketime/libfaketime.so.1')
  if (!library) throw new Missing('libfaketime is not installed')
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}

export const clockJump: Fault = {
  name: 'clock-jump',
  title: 'the clock jumps by an hour, forwards and back',
  holds: 'no session lengthened, ids unique and in order',
  quick: true,
  async run({ folder, server: start }) {
    const clock = join(folder, 'clock')
    const set = (offset: number) => writeFileSync(clock, `${offset >= 0 ? '+' : ''}${offset}\n`)
    set(0)
    const server = await start(fakeTime(clock))
    const client = createClient(server.url)
    const jumps = [0, 3600, 0, -3600, 0, 3600, -3600, 0]
    let tooLong = 0
    let refused = 0
    let served = 0
    const people: { refresh_token: string; access_token: string }[] = []
    for (const [index, offset] of jumps.entries()) {
      set(offset)
      for (let n = 0; n < 5; n++) people.push(await signUp(client, `p${index}-${n}@example.org`))
      for (const person of people) {
        const { status, body } = await client.refresh(person.refresh_token)
        if (status !== 200) refused++
        else {
          served++
          Object.assign(person, body.user)
          const expected = Date.parse(body.user.server_time) + DAYS_30
          if (
            body.user.refresh_expires_in * 1000 > DAYS_30 ||
            Math.abs(Date.parse(body.user.server_time) - Date.now() - offset * 1000) > SLACK
          )
            tooLong++
          if (expected > Date.now() + offset * 1000 + DAYS_30 + SLACK) tooLong++
        }
      }
    }
    set(0)
    const query = sqliteQuery(join(folder, 'data', 'bukhindor.db'))
    const ids = (await query('select id from sessions order by rowid')).map(({ id }) => String(id))
    const unordered = ids.filter((id, index) => index > 0 && id <= (ids[index - 1] as string)).length
    const beyond = await query(
      `select 1 from sessions where expires_at > '${new Date(Date.now() + DAYS_30 + 3_600_000 + SLACK).toISOString()}'`,
    )
    await until(async () => (await client.get('/health/ready')).status === 200)
    client.close()
    return {
      ok: tooLong + refused + unordered + beyond.length === 0 && new Set(ids).size === ids.length,
      figure: `${jumps.length - 1} jumps, ${served} refreshes, ${refused} refused, ${tooLong + beyond.length} sessions too long; ${ids.length} ids, ${ids.length - new Set(ids).size} twice, ${unordered} out of order`,
    }
  },
}
