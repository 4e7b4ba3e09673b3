import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOnEachEngine, register, useApp } from '../../support/app.ts'
import { address, behindProxy, loginFrom } from '../../support/login-attempts.ts'
import { aucOf } from '../../support/statistics.ts'

const PEOPLE = 50
const ROUNDS = 10
/** By chance one measurement in some hundreds is out of bounds; what is really there is so in each. */
const MEASUREMENTS = 3

describeOnEachEngine('The time of a login', (engine) => {
  const app = useApp(engine, behindProxy())

  test('is the same for known and unknown emails over a thousand interleaved attempts', async () => {
    const people = []
    for (let number = 0; number < PEOPLE; number++) people.push((await register(app.api)).email)
    let tries = 0
    const timed = async (email: string) => {
      const start = performance.now()
      // From each address, one known and one unknown.
      const { status } = await loginFrom(app, address(tries++ >> 1), email)
      assert.equal(status, 401)
      return performance.now() - start
    }
    const measured: number[] = []
    for (let measurement = 0; measurement < MEASUREMENTS; measurement++) {
      const times: { known: number[]; unknown: number[] } = { known: [], unknown: [] }
      for (let round = 0; round < ROUNDS; round++) {
        if (round % 5 === 0) await app.services.database.db.deleteFrom('throttles').execute()
        for (const [number, email] of people.entries()) {
          const unknown = email.replace('person', 'nobody')
          // Who comes first alternates: the first of an address makes its row.
          for (const next of (number + round) % 2 ? [email, unknown] : [unknown, email])
            times[next === email ? 'known' : 'unknown'].push(await timed(next))
        }
      }
      const auc = aucOf(times.known, times.unknown)
      measured.push(auc)
      if (auc > 0.45 && auc < 0.55) return
    }
    assert.fail(`AUC ${measured.map((auc) => auc.toFixed(3)).join(', ')}`)
  })
})
