import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isId, newId } from '../../../src/kernel/lib/ids.ts'

/** Later than any real time, so that the order within a process does not hang on the tests that ran before. */
const START = Date.UTC(2200, 0, 1)
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

describe('Ids', () => {
  test('are UUIDs of version 7 with their millisecond', () => {
    const id = newId(START)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.equal(timeOf(id), START)
    assert.ok(isId(id))
  })

  test('are unique and in the order of creation, even within one millisecond', () => {
    const ids = Array.from({ length: 50_000 }, () => newId(START + 1))
    assert.equal(new Set(ids).size, ids.length)
    assert.deepEqual(ids, ids.toSorted())
  })

  test('stay in order when the clock jumps back an hour and forward again', () => {
    const hour = 3_600_000
    const times = [0, 5, -hour, -hour + 1, 6, hour, 0, hour + 1, -hour].map((step) => START + 10_000 + step)
    const ids = times.flatMap((time) => [newId(time), newId(time)])
    assert.deepEqual(ids, ids.toSorted())
    assert.equal(new Set(ids).size, ids.length)
  })

  test('for a given time are not affected by a clock that is ahead', () => {
    const { now } = Date
    try {
      Date.now = () => START + 86_400_000_000
      newId()
      const past = START + 40_000_000
      assert.equal(timeOf(newId(past)), past)
    } finally {
      Date.now = now
    }
  })

  test('are distinguished from other strings', () => {
    const others = ['', 'x', '018F3C5E-7D2A-7C1B-9F00-0123456789AB', '018f3c5e7d2a7c1b9f000123456789ab']
    for (const text of [...others, '{018f3c5e-7d2a-7c1b-9f00-0123456789ab}', '018f3c5e-7d2a-0c1b-9f00-0123456789ab'])
      assert.equal(isId(text), false, text)
  })
})
