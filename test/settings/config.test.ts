import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ConfigError } from '../../src/kernel/config/config-error.ts'
import { loadConfig, readEnvironment } from '../../src/settings/config.ts'
import { effectiveSettings } from '../../src/settings/effective-settings.ts'
import { SETTINGS } from '../../src/settings/settings.ts'

const SECRET = Buffer.alloc(32, 1).toString('base64url')
const faultsOf = (env: Record<string, string>): string[] => {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

describe('The configuration', () => {
  test('has a default for every setting', () => {
    const config = loadConfig({})
    assert.deepEqual([config.host, config.port, config.production], ['127.0.0.1', 8080, false])
    assert.equal(config.appUrl, 'http://localhost:8080')
    assert.deepEqual(config.corsAllowedOrigins, ['http://localhost:*', 'http://127.0.0.1:*'])
    const { accessTokenTtl, sessionIdle, sessionMaxAge, refreshGrace } = config
    assert.deepEqual([accessTokenTtl, sessionIdle, sessionMaxAge, refreshGrace], [900e3, 2592000e3, 15552000e3, 10e3])
    assert.ok(Object.isFrozen(config))
  })

  test('allows no other origin in production by default', () => {
    assert.deepEqual(loadConfig({ NODE_ENV: 'production' }).corsAllowedOrigins, [])
  })

  test('treats an empty value as absent', () => {
    assert.equal(loadConfig({ PORT: '', HOST: '  ' }).port, 8080)
  })

  test('reports every fault at once, each with its name and the allowed values', () => {
    const env = {
      PORT: '70000',
      LOG_LEVEL: 'loud',
      JWT_EXPIRATION: '15',
      APP_SECRET: 'short',
      CORS_ALLOWED_ORIGINS: '*',
    }
    const faults = faultsOf(env)
    assert.deepEqual(faults.map((fault) => fault.split(/[ :]/)[0]).sort(), Object.keys(env).sort())
    assert.ok(faults.includes('PORT is "70000": must be a whole number from 0 to 65535'))
    assert.throws(() => loadConfig(env), /5 errors:\n {2}- /)
  })

  test('does not show secrets in faults', () => {
    const env = { APP_SECRET: 'my-secret!', DATABASE_URL: 'mysql://root:hunter2@x/y', SMTP_URL: 'http://u:hunter2@x' }
    assert.equal(faultsOf(env).length, 3)
    assert.doesNotMatch(faultsOf(env).join(), /my-secret|hunter2/)
  })

  const refused: [string, Record<string, string>, RegExp][] = [
    ['a port that is text', { PORT: '80a' }, /^PORT/],
    ['a port below zero', { PORT: '-1' }, /^PORT/],
    ['a port in hexadecimal', { PORT: '0x50' }, /^PORT/],
    ['a duration without its unit', { REFRESH_GRACE: '10' }, /^REFRESH_GRACE.*30s, 15m, 12h or 30d/],
    ['a duration of an unknown unit', { REFRESH_GRACE: '1w' }, /^REFRESH_GRACE/],
    ['a duration that is too long', { REFRESH_GRACE: '1h' }, /^REFRESH_GRACE.*from 0s to 10m/],
    [
      'an access token that outlives the session',
      { JWT_EXPIRATION: '2h', REFRESH_TOKEN_EXPIRATION: '1h' },
      /^JWT_EXPIRATION/,
    ],
    ['a password length below eight', { MIN_PASSWORD_LENGTH: '6' }, /^MIN_PASSWORD_LENGTH.*from 8/],
    ['an address that runs a script', { APP_URL: 'javascript:alert(1)' }, /^APP_URL/],
    ['an address with a query', { APP_URL: 'https://x.org/?a=1' }, /^APP_URL/],
    ['an origin with a path', { CORS_ALLOWED_ORIGINS: 'https://x.org/app' }, /^CORS_ALLOWED_ORIGINS/],
    ['an origin of everybody', { CORS_ALLOWED_ORIGINS: '*' }, /^CORS_ALLOWED_ORIGINS/],
    ['a proxy that is a name', { TRUST_PROXY: 'everyone' }, /^TRUST_PROXY/],
    ['a flag that is neither', { REQUIRE_VERIFIED_EMAIL: 'maybe' }, /^REQUIRE_VERIFIED_EMAIL.*true, false/],
    ['a secret of 31 bytes', { APP_SECRET: Buffer.alloc(31).toString('base64url') }, /^APP_SECRET.*32 random bytes/],
    ['one short secret among two', { APP_SECRET: `${SECRET},short` }, /^APP_SECRET/],
    ['PostgreSQL without a secret', { DATABASE_URL: 'postgres://u:p@h/d' }, /^APP_SECRET: required with PostgreSQL/],
    ['SMTP without a sender', { SMTP_URL: 'smtp://u:p@h:587' }, /^MAIL_FROM: required/],
    ['no workers', { WORKERS: '0' }, /^WORKERS/],
    ['a sender of two lines', { MAIL_FROM: 'A <a@b.org>\nBcc: c@d.org' }, /^MAIL_FROM/],
  ]
  for (const [name, env, message] of refused)
    test(`refuses ${name}`, () => {
      assert.equal(faultsOf(env).length, 1)
      assert.match(String(faultsOf(env)[0]), message)
    })

  test('accepts equivalent spellings of values', () => {
    const env = {
      TRUST_PROXY: '10.0.0.0/8, ::1',
      REQUIRE_VERIFIED_EMAIL: '1',
      ACCOUNT_DELETION_GRACE: '0',
      WORKERS: 'auto',
    }
    const config = loadConfig(env)
    assert.deepEqual(config.trustProxy, ['10.0.0.0/8', '::1'])
    assert.deepEqual(
      [config.requireVerifiedEmail, config.accountDeletionGrace, config.workers],
      [true, 0, availableParallelism()],
    )
    assert.equal(loadConfig({ TRUST_PROXY: '2' }).trustProxy, 2)
    assert.equal(loadConfig({ TRUST_PROXY: 'off' }).trustProxy, false)
    assert.equal(loadConfig({ APP_SECRET: `${SECRET}, ${SECRET}` }).appSecret?.length, 2)
    assert.equal(loadConfig({ APP_URL: 'https://x.org/api/' }).appUrl, 'https://x.org/api')
  })

  test('shows its settings and their origin, with secrets masked', () => {
    const env = { PORT: '1', APP_SECRET: SECRET, DATABASE_URL: 'postgres://u:hunter2@h/d' }
    const shown = effectiveSettings(env, loadConfig(env))
    assert.deepEqual(Object.keys(shown), Object.keys(SETTINGS))
    assert.doesNotMatch(JSON.stringify(shown), new RegExp(`hunter2|${SECRET}`))
    assert.deepEqual(shown.PORT, { value: '1', from: 'environment' })
    assert.deepEqual(shown.JWT_EXPIRATION, { value: '15m', from: 'default' })
  })

  test('reads .env of a folder; the environment of the process wins', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'bukhindor-env-'))
    t.after(() => rmSync(folder, { recursive: true }))
    assert.equal(readEnvironment(folder).BUKHINDOR_TEST, undefined)
    writeFileSync(join(folder, '.env'), 'BUKHINDOR_TEST="from file"\nPATH=overridden\n# a comment\n')
    const env = readEnvironment(folder)
    assert.deepEqual([env.BUKHINDOR_TEST, env.PATH], ['from file', process.env.PATH])
  })
})
