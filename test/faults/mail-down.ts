import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createClient } from '../support/process-client.ts'
import { startSmtp } from '../support/smtp.ts'
import { until } from '../support/until.ts'
import { fakeTime } from './clock-jump.ts'
import type { Fault } from './support/fault.ts'

/** How many times faster the clock of the service runs: its hour takes 30 s. */
const SPEED = 120
const PEOPLE = 20

export const mailDown: Fault = {
  name: 'mail-down',
  title: `the mail server down for an hour (with a clock ${SPEED} times faster), the process killed twice meanwhile`,
  holds: 'every e-mail is delivered once it is back',
  quick: false,
  async run(context) {
    const smtp = await startSmtp()
    context.defer(() => smtp.stop())
    await smtp.stop()
    const clock = join(context.folder, 'clock')
    writeFileSync(clock, `+0 x${SPEED}\n`)
    const env = { ...smtp.env, ...fakeTime(clock) }
    const people = Array.from({ length: PEOPLE }, (_, n) => `p${n}@example.org`)
    const began = performance.now()
    for (let start = 0; start < 2; start++) {
      const server = await context.server(env)
      const client = createClient(server.url)
      for (const email of people.slice((start * PEOPLE) / 2, ((start + 1) * PEOPLE) / 2))
        await client.register({ email })
      await pause(5000)
      await server.stop('SIGKILL')
      client.close()
    }
    await context.server(env)
    await pause(Math.max(0, 3_600_000 / SPEED - (performance.now() - began)))
    await smtp.start()
    const back = performance.now()
    const missing = () => people.filter((email) => !smtp.mails.some(({ recipients }) => recipients.includes(email)))
    await until(async () => missing().length === 0, { patience: 120_000 }).catch(() => {})
    const twice = smtp.mails.length - new Set(smtp.mails.map(({ messageId }) => messageId)).size
    return {
      ok: missing().length === 0,
      figure: `${PEOPLE - missing().length} of ${PEOPLE} delivered within ${Math.round((performance.now() - back) / 1000)} s of its return, ${twice} twice`,
    }
  },
}
