import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { ConfigError } from '../../../src/kernel/config/config-error.ts'
import { deriveKeys, loadSecrets } from '../../../src/kernel/crypto/secrets.ts'
import { loadConfig } from '../../../src/settings/config.ts'

describe('APP_SECRET', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bukhindor-secret-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const load = (env = {}, hasAccounts = false) =>
    loadSecrets(loadConfig({ DATA_DIR: folder, ...env }), async () => hasAccounts)

  test('is created at the first start, readable by the owner only, and reused', async () => {
    const first = await load()
    const file = join(folder, 'secret.key')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(first[0]?.length, 32)
    assert.deepEqual(await load({}, true), first)
    assert.equal(readFileSync(file, 'utf8').trim(), first[0]?.toString('base64url'))
  })

  test('from the environment wins, and no file is created', async () => {
    const given = Buffer.alloc(32, 9)
    assert.deepEqual(await load({ APP_SECRET: given.toString('base64url') }, true), [given])
    assert.throws(() => statSync(join(folder, 'secret.key')), { code: 'ENOENT' })
  })

  test('in a corrupt file stops the start and is not replaced', async () => {
    const file = join(folder, 'secret.key')
    writeFileSync(file, 'half a sec')
    await assert.rejects(load(), (error) => error instanceof ConfigError && error.message.includes(file))
    assert.equal(readFileSync(file, 'utf8'), 'half a sec')
  })

  test('in an unreadable file stops the start', {
    skip: process.getuid?.() === 0 && 'root may read all',
  }, async () => {
    const file = join(folder, 'secret.key')
    writeFileSync(file, 'x')
    chmodSync(file, 0)
    await assert.rejects(load(), ConfigError)
  })

  test('that is missing is not replaced where there are accounts, and the message says what to do', async () => {
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
    assert.equal((await load({}, true))[0]?.length, 32)
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  test('that another process creates meanwhile is used, even with an account already created', async () => {
    const other = await loadSecrets(loadConfig({ DATA_DIR: join(folder, 'other') }), async () => false)
    const secrets = await loadSecrets(loadConfig({ DATA_DIR: folder }), async () => {
      writeFileSync(join(folder, 'secret.key'), String(other[0]?.toString('base64url')), { mode: 0o600 })
      return true
    })
    assert.deepEqual(secrets, other)
  })

  test('in a file that others can read or write is refused', { skip: process.platform === 'win32' }, async () => {
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

  test('gives a different key for each purpose, and the same keys for the same secret', () => {
    const secret = Buffer.alloc(32, 1)
    const purposes = ['access-token', 'refresh-token', 'device-token', 'cursor', 'sealing', 'lookup']
    const bytes = (of: Buffer) => purposes.map((purpose) => String(deriveKeys([of]).of(purpose)[0]))
    assert.equal(new Set(bytes(secret)).size, purposes.length)
    assert.deepEqual(bytes(secret), bytes(Buffer.alloc(32, 1)))
    assert.notDeepEqual(bytes(secret), bytes(Buffer.alloc(32, 2)))
  })
})
