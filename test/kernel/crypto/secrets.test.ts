import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ConfigError, loadConfig } from '../../../src/kernel/config/config.ts'
import { deriveKeys, loadSecrets } from '../../../src/kernel/crypto/secrets.ts'

describe('The secret', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bukhindor-secret-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const load = (env = {}, hasAccounts = false) =>
    loadSecrets(loadConfig({ DATA_DIR: folder, ...env }), async () => hasAccounts)

  test('is made at the first start, readable by nobody else, and the same ever after', async () => {
    const first = await load()
    const file = join(folder, 'secret.key')
    assert.equal(first.createdAt, file)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(first.secrets[0]?.length, 32)
    assert.deepEqual(await load({}, true), { secrets: first.secrets, createdAt: null })
    assert.equal(readFileSync(file, 'utf8').trim(), first.secrets[0]?.toString('base64url'))
  })

  test('of the environment wins, and no file is made', async () => {
    const given = Buffer.alloc(32, 9)
    assert.deepEqual((await load({ APP_SECRET: given.toString('base64url') }, true)).secrets, [given])
    assert.throws(() => statSync(join(folder, 'secret.key')), { code: 'ENOENT' })
  })

  test('in a file that is spoilt stops the start, and is not replaced', async () => {
    const file = join(folder, 'secret.key')
    writeFileSync(file, 'half a sec')
    await assert.rejects(load(), (error) => error instanceof ConfigError && error.message.includes(file))
    assert.equal(readFileSync(file, 'utf8'), 'half a sec')
  })

  test('in a file that may not be read stops the start', {
    skip: process.getuid?.() === 0 && 'root may read all',
  }, async () => {
    const file = join(folder, 'secret.key')
    writeFileSync(file, 'x')
    chmodSync(file, 0)
    await assert.rejects(load(), ConfigError)
  })

  test('that is lost is not replaced in silence where there are accounts; the message says what to do, and that works', async () => {
    const file = join(folder, 'secret.key')
    const error = await load({}, true).catch((error) => error)
    assert.ok(error instanceof ConfigError)
    assert.match(
      error.message,
      /is missing, but the database has accounts.*Restore the file from a backup, or set APP_SECRET/,
    )
    assert.deepEqual(readdirSync(folder), [])
    const [, command = ''] = /all users must sign in again\): (.*)$/.exec(error.message) ?? []
    execFileSync('sh', ['-c', command], { env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}` } })
    const { secrets, createdAt } = await load({}, true)
    assert.deepEqual([secrets[0]?.length, createdAt], [32, null])
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  test('that another process makes meanwhile is taken, though it has made an account as well', async () => {
    const other = await loadSecrets(loadConfig({ DATA_DIR: join(folder, 'other') }), async () => false)
    const { secrets } = await loadSecrets(loadConfig({ DATA_DIR: folder }), async () => {
      writeFileSync(join(folder, 'secret.key'), String(other.secrets[0]?.toString('base64url')), { mode: 0o600 })
      return true
    })
    assert.deepEqual(secrets, other.secrets)
  })

  test('in a file that others can read or change is refused', { skip: process.platform === 'win32' }, async () => {
    await load()
    const file = join(folder, 'secret.key')
    for (const mode of [0o644, 0o640, 0o604, 0o620]) {
      chmodSync(file, mode)
      await assert.rejects(
        load(),
        (error) =>
          error instanceof ConfigError &&
          error.message.includes(`(mode 0${mode.toString(8)})`) &&
          error.message.includes('chmod 600'),
      )
    }
    chmodSync(file, 0o400)
    await load()
    assert.deepEqual(readdirSync(folder), ['secret.key'])
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
