import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createMac } from '../../../src/kernel/crypto/mac.ts'
import { newId } from '../../../src/kernel/lib/ids.ts'
import { createRefreshTokens } from '../../../src/modules/sessions/refresh-token.ts'

describe('A refresh token', () => {
  const keys = [Buffer.alloc(32, 1)]
  const tokens = createRefreshTokens(keys)
  const { sign } = createMac(keys)

  test('is decoded to what was encoded', () => {
    for (const generation of [0, 1, 2 ** 31 - 2]) {
      const claims = { sessionId: newId(), generation }
      assert.deepEqual(tokens.decode(tokens.encode(claims)), claims)
    }
  })

  test('with a valid MAC is refused if its length or its generation is impossible', () => {
    for (const length of [1, 16, 19, 21, 32]) assert.equal(tokens.decode(sign(Buffer.alloc(length))), null, `${length}`)
    for (const generation of [2 ** 31 - 1, 2 ** 32 - 1])
      assert.equal(tokens.decode(tokens.encode({ sessionId: newId(), generation })), null, `${generation}`)
  })
})
