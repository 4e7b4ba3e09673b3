import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createFairQueue } from '../../../src/kernel/lib/fair-queue.ts'

function queueOf(limit: number) {
  const refused: string[] = []
  const queue = createFairQueue<string>(
    () => limit,
    (item) => refused.push(item),
  )
  const drain = () => {
    const items: string[] = []
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item)
    return items.join(' ')
  }
  return {
    queue,
    refused,
    drain,
    push: (item: string, priority = false) => queue.push(item, { key: item[0], priority }),
  }
}

describe('A fair queue', () => {
  test('runs the work of one key in order', () => {
    const { push, drain } = queueOf(9)
    for (const item of ['a1', 'a2', 'a3']) push(item)
    assert.equal(drain(), 'a1 a2 a3')
  })

  test('alternates between keys, however much one of them holds', () => {
    const { push, drain } = queueOf(9)
    for (const item of ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'c2']) push(item)
    assert.equal(drain(), 'a1 b1 c1 a2 c2 a3 a4')
  })

  test('gives every second slot to priority work, and all of them where there is no other work', () => {
    const { push, drain } = queueOf(9)
    for (const item of ['a1', 'a2', 'a3']) push(item)
    for (const item of ['p1', 'p2', 'p3', 'q1', 'q2']) push(item, true)
    assert.equal(drain(), 'p1 a1 q1 a2 p2 a3 q2 p3')
  })

  test('when full, refuses the newest of the longest key', () => {
    const { push, refused, drain } = queueOf(4)
    for (const item of ['a1', 'a2', 'a3', 'a4', 'a5']) push(item)
    assert.deepEqual(refused, ['a5'])
    push('b1')
    push('c1')
    assert.deepEqual(refused, ['a5', 'a4', 'a3'])
    push('c2')
    push('d1')
    assert.deepEqual(refused, ['a5', 'a4', 'a3', 'c2', 'a2'], 'who has as much as any is refused itself')
    push('e1')
    assert.deepEqual(refused.at(-1), 'e1')
    assert.equal(drain(), 'a1 b1 c1 d1')
  })

  test('tells beforehand whether it would refuse an item', () => {
    const refused: string[] = []
    const queue = createFairQueue<string>(
      () => 3,
      (item) => refused.push(item),
    )
    for (const [item, key] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['b1', 'b'],
    ] as const)
      queue.push(item, { key })
    assert.deepEqual(['a', 'b', 'c'].map(queue.wouldRefuse), [true, true, false])
    queue.push('c1', { key: 'c' })
    queue.push('b2', { key: 'b' })
    assert.deepEqual(refused, ['a2', 'b2'])
  })

  test('reserves a part for priority work that other work cannot fill, and the reverse', () => {
    const { push, refused, drain } = queueOf(3)
    for (const item of ['a1', 'b1', 'c1', 'd1']) push(item)
    for (const item of ['p1', 'p2', 'p3', 'p4', 'q1']) push(item, true)
    assert.deepEqual(refused, ['d1', 'p4', 'p3'])
    assert.equal(drain(), 'p1 a1 q1 b1 p2 c1')
  })

  test('returns every item once or refuses it', () => {
    const step = fc.oneof(
      fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), priority: fc.boolean() }),
      fc.constant('shift' as const),
    )
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), fc.array(step, { maxLength: 60 }), (limit, steps) => {
        const out: number[] = []
        const queue = createFairQueue<number>(
          () => limit,
          (item) => out.push(item),
        )
        let count = 0
        for (const what of steps) {
          if (what !== 'shift') queue.push(count++, what)
          else {
            const first = queue.peek()
            assert.equal(queue.shift(), first)
            if (first !== undefined) out.push(first)
          }
          assert.ok(queue.size <= 2 * limit)
          assert.equal(queue.size + out.length, count)
        }
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) out.push(item)
        assert.deepEqual(
          out.sort((a, b) => a - b),
          [...Array(count).keys()],
        )
      }),
    )
  })
})
