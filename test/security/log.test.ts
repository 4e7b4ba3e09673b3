import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { masked } from '../../src/kernel/db/postgres/url.ts'
import { createLog } from '../../src/kernel/log/log.ts'

describe('The log', () => {
  async function linesOf(write: (log: Awaited<ReturnType<typeof createLog>>) => void) {
    const lines: string[] = []
    write(await createLog({ logLevel: 'info', logFormat: 'json' }, { write: (line: string) => lines.push(line) }))
    return lines
  }

  test('has the type and place of an error without quoted values', async () => {
    const row = Object.assign(new Error('new row violates a check constraint'), {
      code: '23514',
      detail: 'Failing row contains (anna@example.org, $argon2id$v=19$...).',
      where: 'anna@example.org',
    })
    const mail = Object.assign(new Error('550 5.1.1 <anna.k+x@mail.example.org>: unknown', { cause: row }), {
      code: 'EENVELOPE',
      rejected: ['anna.k+x@mail.example.org'],
    })
    const [line = ''] = await linesOf((log) => log.error({ err: mail }, 'e-mail not sent: will retry'))
    const { err } = JSON.parse(line)
    assert.equal(err.code, 'EENVELOPE')
    assert.equal(err.message, '550 5.1.1 <…@mail.example.org>: unknown')
    assert.equal(err.cause.code, '23514')
    assert.match(err.stack, /log\.test\.ts/)
    assert.doesNotMatch(line, /anna|argon2/)
  })

  test('redacts secrets in logged objects', async () => {
    const secrets = { password: 'S3cret!', refresh_token: 'S3cret!', authorization: 'S3cret!', cookie: 'S3cret!' }
    const [line = ''] = await linesOf((log) => log.info({ ...secrets, body: secrets, headers: secrets }, 'request'))
    assert.doesNotMatch(line, /S3cret/)
  })

  test('keeps each entry on one line', async () => {
    const lines = await linesOf((log) => log.info({ route: '/a\n{"level":"fatal"}\r\u2028\u001b[31m' }, 'a\nb'))
    assert.equal(lines.length, 1)
    assert.equal(lines[0]?.trimEnd().split('\n').length, 1)
    assert.ok(!lines[0]?.includes('\u001b'))
  })

  test('has times in UTC', async () => {
    const [line = ''] = await linesOf((log) => log.info('now'))
    assert.match(JSON.parse(line).time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  test('shows connection strings without the password, even malformed ones', () => {
    for (const [url, shown] of [
      ['postgres://app:S3cret!@db:5432/app', 'postgres://app:***@db:5432/app'],
      ['postgres://app:S3@cret!@one,two/app?sslmode=verify-full', 'postgres://app:***@one,two/app?sslmode=verify-full'],
      ['postgres://app:S3#c/r?et!@db/app', 'postgres://app:***@db/app'],
      [
        'postgres://db/app?user=app&password=S3cret!&sslmode=require',
        'postgres://db/app?user=app&password=***&sslmode=require',
      ],
      ['postgres://app@db/app', 'postgres://app@db/app'],
    ] as const)
      assert.equal(masked(url), shown)
  })
})
