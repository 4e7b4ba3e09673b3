import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { simpleParser } from 'mailparser'
import { createClient, PASSWORD, signUp, tally } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import { type Context, type Fault, SETTINGS } from './support/fault.ts'

const times = <T>(count: number, work: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)))
const count = (answers: { status: number }[], status: number) =>
  answers.filter((answer) => answer.status === status).length

export const registrations: Fault = {
  name: 'registrations',
  title: '100 identical registrations at once',
  holds: 'one account; the rest 409',
  quick: true,
  async run(context) {
    const client = createClient((await context.server()).url, { sockets: 100 })
    const answers = await times(100, () => client.register({ email: 'anna@example.org' }))
    client.close()
    return { ok: count(answers, 201) === 1 && count(answers, 409) === 99, figure: tally(answers) }
  },
}

export const refreshes: Fault = {
  name: 'refreshes',
  title: '50 refreshes at once of one token, and a later replay of the past',
  holds: 'one successor; the replay ends the session, 100 of 100 runs',
  quick: true,
  async run(context) {
    const runs = context.quick ? 10 : 100
    const client = createClient((await context.server({ REFRESH_GRACE: '0' })).url, { sockets: 50 })
    await signUp(client, 'anna@example.org')
    let single = 0
    let found = 0
    for (let run = 0; run < runs; run++) {
      const { body } = await client.login({ email: 'anna@example.org' })
      const first = body.user.refresh_token
      const answers = await times(50, () => client.refresh(first))
      const successors = new Set(answers.map(({ body }) => body.user?.refresh_token))
      if (count(answers, 200) === 50 && successors.size === 1) single++
      const [second] = successors
      const next = await client.refresh(String(second))
      await client.me(next.body.user?.access_token)
      const replay = await client.refresh(first)
      const ended = await client.me(next.body.user?.access_token)
      if (replay.status === 401 && replay.body.reason === 'refresh_reused' && ended.status === 401) found++
    }
    client.close()
    return {
      ok: single === runs && found === runs,
      figure: `one successor in ${single} of ${runs} runs, the replay detected in ${found}`,
    }
  },
}

export const resetToken: Fault = {
  name: 'reset-token',
  title: 'one reset token used 50 times at once',
  holds: 'exactly one success',
  quick: true,
  async run(context) {
    const client = createClient((await context.server()).url, { sockets: 50 })
    await signUp(client, 'anna@example.org')
    await client.post('/api/v1/auth/reset-password', { body: { email: 'anna@example.org' } })
    const folder = join(context.folder, 'data', 'mail')
    const file = await until(
      async () => existsSync(folder) && readdirSync(folder).find((name) => /reset_password.*\.eml$/.test(name)),
    )
    const { text } = await simpleParser(readFileSync(join(folder, file)))
    const token = /token=([\w.~%-]+)/.exec(text ?? '')?.[1]
    const answers = await times(50, (n) =>
      client.post('/api/v1/auth/reset-password/confirm', {
        body: { token, new_password: `another walk along river ${n}` },
      }),
    )
    client.close()
    return {
      ok:
        count(answers, 200) === 1 &&
        answers.length - 1 === answers.filter(({ status }) => status >= 400 && status < 500).length,
      figure: tally(answers),
    }
  },
}

export async function makeAdmin({ folder }: Context): Promise<void> {
  execFileSync(
    process.execPath,
    [
      'bin/bukhindor.js',
      'user',
      'create',
      '--email',
      'admin@example.org',
      '--name',
      'Admin',
      '--role',
      'admin',
      '--password-stdin',
    ],
    {
      input: PASSWORD,
      env: { PATH: process.env.PATH, ...SETTINGS, DATA_DIR: join(folder, 'data') },
      stdio: ['pipe', 'ignore', 'pipe'],
    },
  )
}

export const edits: Fault = {
  name: 'edits',
  title: 'administrators edit one user at once, with If-Match',
  holds: 'one 2xx, the rest 412',
  quick: true,
  async run(context) {
    await makeAdmin(context)
    const client = createClient((await context.server()).url, { sockets: 50 })
    const { id } = await signUp(client, 'anna@example.org')
    const token = (await client.login({ email: 'admin@example.org' })).body.user.access_token
    const rounds = 20
    let right = 0
    for (let round = 0; round < rounds; round++) {
      const { headers } = await client.get(`/api/v1/users/${id}`, { token })
      const answers = await times(10, (n) =>
        client.send('PATCH', `/api/v1/users/${id}`, {
          token,
          body: { name: `Anna ${round} ${n}` },
          headers: { 'if-match': String(headers.etag) },
        }),
      )
      if (count(answers, 200) === 1 && count(answers, 412) === 9) right++
    }
    client.close()
    return { ok: right === rounds, figure: `ten edits at once: one 200 and nine 412 in ${right} of ${rounds} rounds` }
  },
}
