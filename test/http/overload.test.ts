import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createClient, tally } from '../faults/support/client.ts'
import { useApp } from '../support/app.ts'

describe('more requests at once than can be answered', () => {
  const running = useApp('sqlite')
  const AT_ONCE = 1500

  test('are refused beyond what a turn of the event loop can do; health checks are answered, and then all is well', async () => {
    const client = createClient(running.url, { sockets: AT_ONCE })
    await Promise.all(Array.from({ length: AT_ONCE }, () => client.get('/health/live'))) // The connections are there now.
    const flood = Array.from({ length: AT_ONCE }, (_, n) => client.get(n % 100 ? '/openapi.json' : '/health/live'))
    const answers = await Promise.all(flood)
    const refused = answers.filter(({ status }) => status === 503)
    for (const { headers, body } of refused) {
      assert.equal(headers['retry-after'], '1')
      assert.equal(body.reason, 'overloaded')
    }
    assert.equal(answers.length - refused.length, answers.filter(({ status }) => status === 200).length, tally(answers))
    assert.ok(answers.every(({ status }, n) => n % 100 || status === 200))
    assert.equal((await client.get('/openapi.json')).status, 200)
    client.close()
    assert.equal(running.logs.filter(({ msg, reason }) => msg === 'request' && reason === 'overloaded').length, 0)
  })
})
