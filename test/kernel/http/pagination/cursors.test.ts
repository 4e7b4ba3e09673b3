import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createCursors } from '../../../../src/kernel/http/pagination/cursors.ts'

describe('Cursors', () => {
  const [key, other] = [randomBytes(32), randomBytes(32)]
  const position = fc.record(
    { sort: fc.string(), value: fc.string({ unit: 'grapheme' }), id: fc.uuid(), page: fc.integer({ min: 1 }) },
    { noNullPrototype: true },
  )

  test('decode to the position they were made from', () => {
    fc.assert(
      fc.property(position, (given) => {
        const { encode, decode } = createCursors([key])
        assert.deepEqual(decode(encode(given), given.sort), given)
        assert.match(encode(given), /^[\w-]+$/)
      }),
    )
  })

  test('are refused with any bit changed', () => {
    const cursors = createCursors([key])
    fc.assert(
      fc.property(position, fc.nat(), (given, n) => {
        const bytes = Buffer.from(cursors.encode(given), 'base64url')
        const bit = n % (bytes.length * 8)
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
        assert.throws(() => cursors.decode(bytes.toString('base64url'), given.sort), { reason: 'invalid_cursor' })
      }),
    )
  })

  test('belong to one order and one key; a rotated key goes on reading them', () => {
    const given = { sort: 'name', value: 'x', id: 'y', page: 2 }
    const cursor = createCursors([key]).encode(given)
    assert.deepEqual(createCursors([other, key]).decode(cursor, 'name'), given)
    assert.throws(() => createCursors([other]).decode(cursor, 'name'), { reason: 'invalid_cursor' })
    assert.throws(() => createCursors([key]).decode(cursor, '-name'), { reason: 'invalid_cursor' })
  })
})
