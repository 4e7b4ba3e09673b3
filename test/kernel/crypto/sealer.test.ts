import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createSealer } from '../../../src/kernel/crypto/sealer.ts'

const [older, newer] = [randomBytes(32), randomBytes(32)]

test('a sealed text opens in its context, in any script and of any length', () => {
  const sealer = createSealer([newer])
  for (const text of ['', 'Привет 🌍', 'x'.repeat(100_000)]) {
    assert.equal(sealer.open(sealer.seal(text, 'row 1'), 'row 1'), text)
  }
  assert.equal(sealer.open(sealer.seal(Buffer.from('bytes'), 'row 1'), 'row 1'), 'bytes')
})

test('sealed text reveals nothing, and sealing twice gives different results', () => {
  const sealer = createSealer([newer])
  const sealed = [sealer.seal('a secret', 'row 1'), sealer.seal('a secret', 'row 1')] as const
  assert.notEqual(sealed[0], sealed[1])
  for (const one of sealed) assert.ok(!Buffer.from(one, 'base64url').includes('a secret'))
})

test('text that was modified, truncated or sealed for another context does not open', () => {
  const sealer = createSealer([newer])
  const sealed = sealer.seal('a secret', 'row 1')
  assert.equal(sealer.open(sealed, 'row 2'), null)
  const bytes = Buffer.from(sealed, 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(i) ^ 1, i)
    assert.equal(sealer.open(changed.toString('base64url'), 'row 1'), null, `byte ${i}`)
    assert.equal(sealer.open(bytes.subarray(0, i).toString('base64url'), 'row 1'), null, `first ${i} bytes`)
  }
})

test('after a rotation the first key seals and every key opens', () => {
  const before = createSealer([older])
  const between = createSealer([newer, older])
  const after = createSealer([newer])
  assert.equal(between.open(before.seal('kept', 'row'), 'row'), 'kept')
  assert.equal(after.open(between.seal('new', 'row'), 'row'), 'new')
  assert.equal(after.open(before.seal('kept', 'row'), 'row'), null)
})
