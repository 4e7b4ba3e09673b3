import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRemoteClock } from '../../../src/kernel/lib/remote-clock.ts'

/** A machine and a remote clock, both moved by hand: an answer takes as long as `delays` says. */
async function machineOf({ ahead = 0 } = {}) {
  const state = { monotonic: 500, remote: 1_000_000, local: 1_000_000 + ahead, delays: [] as number[], fails: false }
  const warnings: unknown[] = []
  const pass = (milliseconds: number) => {
    for (const name of ['monotonic', 'remote', 'local'] as const) state[name] += milliseconds
  }
  const clock = await createRemoteClock({
    async query() {
      const delay = state.delays.shift() ?? 2
      pass(delay / 2)
      const answer = state.remote
      pass(delay / 2)
      if (state.fails) throw new Error('no answer')
      return answer
    },
    log: { warn: (line: unknown) => void warnings.push(line) } as never,
    local: { now: () => state.local },
    monotonic: () => state.monotonic,
  })
  return { state, clock, warnings, pass }
}

describe('A remote clock', () => {
  test('gives the time of the other machine and runs between two requests', async () => {
    const { state, clock, pass } = await machineOf({ ahead: 5_000_000 })
    assert.equal(clock.now(), state.remote)
    pass(7000)
    assert.equal(clock.now(), state.remote)
  })

  test('is not affected when the local clock is set', async () => {
    const { state, clock } = await machineOf()
    state.local -= 3_600_000
    assert.equal(clock.now(), state.remote)
  })

  test('follows at the next request when the remote clock is set', async () => {
    const { state, clock } = await machineOf()
    for (const jump of [3_600_000, -7_200_000, 50]) {
      state.remote += jump
      await clock.sync()
      assert.equal(clock.now(), state.remote)
    }
  })

  test('uses the quickest of three answers and does not jitter within its uncertainty', async () => {
    const { state, clock } = await machineOf()
    state.remote += 40
    state.delays = [900, 100, 700]
    await clock.sync()
    assert.equal(clock.now(), state.remote - 40, 'an answer that took 100 ms cannot tell 40 ms')
    state.delays = [900, 20, 700]
    await clock.sync()
    assert.equal(clock.now(), state.remote)
  })

  test('keeps running while there is no answer', async () => {
    const { state, clock } = await machineOf()
    state.fails = true
    await assert.rejects(clock.sync())
    assert.equal(clock.now(), state.remote)
  })

  test('warns once when the local clock differs by more than a second, and again after it was corrected', async () => {
    const { state, clock, warnings } = await machineOf({ ahead: -1500 })
    assert.deepEqual(warnings, [{ difference_ms: -1500 }])
    await clock.sync()
    assert.equal(warnings.length, 1)
    state.local += 1500
    await clock.sync()
    assert.equal(clock.differs, false)
    state.local += 90_000
    await clock.sync()
    assert.deepEqual(warnings.at(1), { difference_ms: 90_000 })
    assert.equal(clock.differs, true)
  })
})
