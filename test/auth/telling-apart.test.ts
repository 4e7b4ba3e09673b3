import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY } from '../../src/kernel/clock.ts'
import { describeOnEachEngine, register, useApp } from '../support/app.ts'
import { aucOf, chanceOf } from '../support/statistics.ts'

/** Tries of each kind: few where a thousand of them would show the same once more. */
const TRIES = { sqlite: 500, postgres: 60 }

describeOnEachEngine('Known and unknown addresses', (engine) => {
  const app = useApp(engine)

  test('cannot be told apart at the sign-in, neither by the answer nor by its time', async (t) => {
    const people: string[] = []
    for (let number = 0; number < 50; number++) people.push((await register(app.api)).email)
    const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] }
    const answers: Record<'known' | 'unknown', Set<string>> = { known: new Set(), unknown: new Set() }
    const attempt = async (kind: 'known' | 'unknown', email: string) => {
      const body = JSON.stringify({ email, password: 'not the password' })
      const headers = { 'content-type': 'application/json' }
      const start = performance.now()
      const response = await fetch(`${app.url}/api/v1/auth/login`, { method: 'POST', headers, body })
      const text = await response.text()
      times[kind].push(performance.now() - start)
      const names = [...response.headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
      const told = { ...JSON.parse(text), request_id: '' }
      answers[kind].add(JSON.stringify([response.status, told, names]))
    }
    for (let round = 0; round < TRIES[engine]; round++) {
      // A fifth failure in a row would have to wait: a year lets all of them be forgotten.
      if (round % (4 * people.length) === 0) app.clock.advance(401 * DAY)
      const pair = {
        known: people[round % people.length] as string,
        unknown: `nobody-${round % people.length}@example.org`,
      }
      const order = round % 2 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const)
      for (const kind of order) await attempt(kind, pair[kind])
    }
    assert.deepEqual([...answers.known].sort(), [...answers.unknown].sort())
    const auc = aucOf(times.known, times.unknown)
    t.diagnostic(`AUC ${auc.toFixed(3)}`)
    assert.ok(Math.abs(auc - 0.5) < chanceOf(TRIES[engine]), `AUC ${auc.toFixed(3)}`)
  })
})
