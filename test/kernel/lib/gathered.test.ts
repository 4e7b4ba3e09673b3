import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gathered } from '../../../src/kernel/lib/gathered.ts'

describe('Gathered lookups', () => {
  /** A lookup of squares that notes which keys were searched together. */
  function squares(maxKeys = 100, find = async (keys: number[]) => new Map(keys.map((key) => [key, key * key]))) {
    const searches: number[][] = []
    const lookup = gathered((keys: number[]) => {
      searches.push(keys)
      return find(keys)
    }, maxKeys)
    return { lookup, searches }
  }

  test('search once for the keys of one turn, and once for each of them', async () => {
    const { lookup, searches } = squares()
    const found = await Promise.all([2, 3, 2].map(lookup))
    assert.deepEqual([found, searches], [[4, 9, 4], [[2, 3]]])
    assert.equal(await lookup(3), 9)
    assert.deepEqual(searches, [[2, 3], [3]])
  })

  test('begin after the last key was asked for, not before', async () => {
    const { lookup, searches } = squares()
    const answer = lookup(2)
    await Promise.resolve()
    assert.deepEqual(searches, [])
    await answer
  })

  test('find undefined for a key that does not exist', async () => {
    const { lookup } = squares(100, async () => new Map())
    assert.equal(await lookup(7), undefined)
  })

  test('begin at once with the maximum number of keys, and go on with the rest', async () => {
    const { lookup, searches } = squares(2)
    const answers = [1, 2, 3].map(lookup)
    assert.deepEqual(searches, [[1, 2]])
    assert.deepEqual(await Promise.all(answers), [1, 4, 9])
    assert.deepEqual(searches, [[1, 2], [3]])
  })

  test('fail for their own keys only; a slow one does not delay the next', async () => {
    const slow = Promise.withResolvers<Map<number, number>>()
    const { lookup } = squares(2, async (keys) => {
      if (keys.includes(1)) throw new Error('broken')
      return keys.includes(3) ? slow.promise : new Map([[5, 25]])
    })
    const [first, second, third, fourth, fifth] = [1, 2, 3, 4, 5].map(lookup)
    await assert.rejects(first as Promise<number>, /broken/)
    await assert.rejects(second as Promise<number>, /broken/)
    assert.equal(await fifth, 25)
    slow.resolve(new Map([[3, 9]]))
    assert.deepEqual(await Promise.all([third, fourth]), [9, undefined])
  })
})
