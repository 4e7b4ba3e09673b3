import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeOnEachEngine, register, useApp } from '../../support/app.ts'

/** Enough to meet both the free tries and the ones that have to wait. */
const TRIES = 12

// That the time tells nothing either is shown in test/modules/rate-limits/timing.test.ts.
describeOnEachEngine('Known and unknown addresses', (engine) => {
  const app = useApp(engine)

  test('get the same answer at sign-in', async () => {
    const { email: known } = await register(app.api)
    const answers: Record<string, string[]> = { known: [], unknown: [] }
    for (let number = 0; number < TRIES; number++)
      for (const [kind, email] of Object.entries({ known, unknown: 'nobody@example.org' })) {
        const { status, headers, body } = await app.api.login({ email, password: 'not the password' })
        const shown = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
        answers[kind]?.push(JSON.stringify([status, { ...body, request_id: '' }, shown]))
      }
    assert.deepEqual(answers.known, answers.unknown)
    assert.ok(answers.known?.some((answer) => answer.includes('rate_limited')))
  })
})
