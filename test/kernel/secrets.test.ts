import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ConfigError, loadConfig } from '../../src/kernel/config.ts'
import { deriveKeys, loadSecrets } from '../../src/kernel/secrets.ts'

describe('The secret', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bukhindor-secret-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const load = (env = {}) => loadSecrets(loadConfig({ DATA_DIR: folder, ...env }))

  test('is made at the first start, readable by nobody else, and the same ever after', () => {
    const first = load()
    const file = join(folder, 'secret.key')
    assert.equal(first.createdAt, file)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(first.secrets[0]?.length, 32)
    assert.deepEqual(load(), { secrets: first.secrets, createdAt: null })
    assert.equal(readFileSync(file, 'utf8').trim(), first.secrets[0]?.toString('base64url'))
  })

  test('of the environment wins, and no file is made', () => {
    const given = Buffer.alloc(32, 9)
    assert.deepEqual(load({ APP_SECRET: given.toString('base64url') }).secrets, [given])
    assert.throws(() => statSync(join(folder, 'secret.key')), { code: 'ENOENT' })
  })

  test('in a file that is spoilt stops the start, and is not replaced', () => {
    const file = join(folder, 'secret.key')
    writeFileSync(file, 'half a sec')
    assert.throws(load, (error) => error instanceof ConfigError && error.message.includes(file))
    assert.equal(readFileSync(file, 'utf8'), 'half a sec')
  })

  test('in a file that may not be read stops the start', {
    skip: process.getuid?.() === 0 && 'root may read all',
  }, () => {
    const file = join(folder, 'secret.key')
    writeFileSync(file, 'x')
    chmodSync(file, 0)
    assert.throws(load, ConfigError)
  })

  test('gives another key for each purpose, and the same keys for the same secret', () => {
    const secret = Buffer.alloc(32, 1)
    const bytes = (of: Buffer) => {
      const { signing, refresh, cursor, sealing, lookup } = deriveKeys([of])
      const [pair] = signing
      return [pair?.privateKey.export({ format: 'jwk' }).d, ...[refresh[0], cursor[0], sealing[0], lookup].map(String)]
    }
    assert.equal(new Set(bytes(secret)).size, 5)
    assert.deepEqual(bytes(secret), bytes(Buffer.alloc(32, 1)))
    assert.notDeepEqual(bytes(secret), bytes(Buffer.alloc(32, 2)))
  })
})
