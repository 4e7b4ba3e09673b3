import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Engine } from '../../../src/kernel/db/database.ts'
import { migrateDown, migrateUp, migrationStatus } from '../../../src/kernel/db/migrator.ts'
import { openDatabase } from '../../../src/kernel/db/open.ts'
import { createCursors } from '../../../src/kernel/http/pagination/cursors.ts'
import { systemClock } from '../../../src/kernel/lib/clock.ts'
import { newId } from '../../../src/kernel/lib/ids.ts'
import { createUsers, emailKey } from '../../../src/modules/users/users.service.ts'
import { NEVER } from '../../../src/modules/users/users.tables.ts'
import { loadConfig } from '../../../src/settings/config.ts'
import { describeOnEachEngine, PASSWORD, register, signIn, useApp } from '../../support/app.ts'
import { createDatabase, dropDatabase } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

const key = (local: string) => emailKey(`${local}@example.org`)

describe('Spellings of an address', () => {
  test('are one in any case of any Unicode letter', () => {
    for (let point = 0; point < 0x110000; point++) {
      const letter = String.fromCodePoint(point)
      const others = [letter.toLowerCase(), letter.toUpperCase()].filter((other) => other !== letter)
      if (others.length === 0 || letter === 'ı') continue
      const folded = key(letter)
      for (const other of others) assert.equal(key(other), folded, `U+${point.toString(16)}`)
      assert.equal(emailKey(folded), folded, `U+${point.toString(16)} twice`)
    }
  })

  for (const spellings of [
    ['οδος', 'οδοσ', 'ΟΔΟΣ', 'ΟδΟς'],
    ['straße', 'strasse', 'STRASSE', 'STRAẞE'],
    ['ǰanko', 'J\u030CANKO', 'j\u030Canko'],
    ['ﬁn', 'FIN', 'fin'],
    ['ſam', 'SAM'],
    ['ᾷ', '\u03B1\u0342\u0345', 'ΑΙ\u0342'.replace('ΑΙ\u0342', 'Α\u0342Ι')],
    ['К', 'к'],
    ['\u212Aate', 'kate'],
  ])
    test(`such as ${spellings.join(', ')} are one`, () => {
      assert.deepEqual(new Set(spellings.map(key)).size, 1)
    })

  for (const different of [
    ['ırmak', 'irmak', 'İrmak'],
    ['anna', 'аnna'], // the second begins in Cyrillic
    ['a.b', 'ab'],
    ['a+b', 'a'],
    ['è', 'e'],
  ])
    test(`such as ${different.join(', ')} stay different`, () => {
      assert.equal(new Set(different.map(key)).size, different.length)
    })

  test('are one in any Unicode normalization form', () => {
    const letters = fc.constantFrom(...'aBσςΣßẞıİiIſſKμµΰΐǰŉﬃΆάᾳᾼ\u0345\u0342\u0308\u0301\u0323\u0327іЇёЁ'.split(''))
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 12 }), (some) => {
        const text = some.join('')
        const folded = key(text)
        for (const other of [text.normalize('NFC'), text.normalize('NFD'), text.normalize('NFD').toLowerCase()])
          assert.equal(key(other), folded)
        // The iota below a letter becomes one beside it, so marks are put in order first.
        if (!text.includes('ı')) assert.equal(key(text.normalize('NFD').toUpperCase()), folded)
        assert.equal(emailKey(folded), folded)
      }),
      { numRuns: 3000 },
    )
  })
})

describeOnEachEngine('An address in another spelling', (engine) => {
  const app = useApp(engine)

  test('is the same account and can sign in', async () => {
    for (const [first, ...others] of [
      ['οδοσ@example.org', 'ΟΔΟΣ@example.org', 'οδος@EXAMPLE.org'],
      ['Straße@example.org', 'STRASSE@example.org', 'straẞe@example.org'],
    ] as const) {
      const { id } = await register(app.api, { email: first })
      for (const email of others) {
        const body = { email, password: PASSWORD, name: 'Анна' }
        assert.equal((await app.api.register(body)).body.reason, 'email_taken')
        const user = await signIn(app.api, { email })
        assert.deepEqual([user.id, user.email], [id, first], 'it is kept as typed')
      }
    }
    const [one, other] = [
      await register(app.api, { email: 'ırmak@example.org' }),
      await register(app.api, { email: 'irmak@example.org' }),
    ]
    assert.notEqual(one.id, other.id)
  })
})

async function emptyDatabase(engine: Engine) {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-addresses-'))
  const url =
    engine === 'sqlite'
      ? `sqlite:${join(folder, 'test.db')}`
      : await createDatabase(process.env.TEST_POSTGRES_URL as string)
  const database = await openDatabase(loadConfig({ DATABASE_URL: url, APP_SECRET: 'x'.repeat(43) }), {
    forMigration: true,
  })
  const remove = async () => {
    await database.close()
    if (engine === 'postgres') await dropDatabase(url)
    rmSync(folder, { recursive: true, force: true })
  }
  return { database, remove }
}

describeOnEachEngine('Addresses of an earlier version', (engine) => {
  test('are found by the same spellings after an upgrade and after a downgrade', async (t) => {
    const { database, remove } = await emptyDatabase(engine)
    t.after(remove)
    const step = (await migrationStatus(database)).find(({ name }) => name === 'bound_links')?.version ?? assert.fail()
    await migrateUp(database, step - 1)
    const earlier = (email: string) => `${email.split('@')[0]?.toLowerCase()}@example.org`
    const now = new Date().toISOString()
    const insert = (email: string) =>
      database.db
        .insertInto('users')
        .values({
          id: newId(Date.now()),
          email,
          email_key: earlier(email),
          name: 'A',
          name_key: 'a',
          search_text: 'a',
          password_hash: null,
          is_active: true,
          email_verified: false,
          locale: 'en',
          role: 'user',
          created_at: now,
          updated_at: now,
          last_login_at: NEVER,
        })
        .execute()
    const alone = ['Νίκος@example.org', 'Fuß@example.org', 'plain@example.org', 'Анна@example.org']
    const twins = ['ΟΔΟΣ@example.org', 'οδοσ@example.org']
    for (const email of [...alone, ...twins]) await insert(email)
    for (let number = 0; number < 600; number++) await insert(`ς${number}ς@example.org`)
    await migrateUp(database)

    const users = createUsers({ database, clock: systemClock, cursors: createCursors([Buffer.alloc(32)]) })
    const found = async (email: string) => (await users.byEmail(email))?.email
    for (const email of [...alone, ...twins]) assert.equal(await found(email), email)
    assert.equal(await found('οδος@example.org'), 'ΟΔΟΣ@example.org', 'as before')
    assert.equal(await found('ΝΊΚΟΣ@example.org'), 'Νίκος@example.org')
    assert.equal(await found('νίκοσ@example.org'), 'Νίκος@example.org', 'which it did not before')
    assert.equal(await found('FUSS@example.org'), 'Fuß@example.org')
    assert.equal(await found('Σ599Σ@example.org'), 'ς599ς@example.org')
    for (const email of ['ΟΔΟΣ@example.org', 'οδος@example.org', 'FUSS@example.org'])
      await assert.rejects(
        database.transaction((trx) => users.create(trx, { email, name: 'B', passwordHash: null, locale: 'en' })),
        { reason: 'email_taken' },
      )

    await until(async () => (await migrateDown(database)) === 'bound_links')
    const rows = await database.db.selectFrom('users').select(['email', 'email_key']).execute()
    for (const { email, email_key } of rows) assert.equal(email_key, earlier(email))
  })
})
