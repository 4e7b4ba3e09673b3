import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isCommon } from '../../../src/modules/credentials/common-passwords.ts'
import { checkPassword, type PasswordRules } from '../../../src/modules/credentials/password-policy.ts'

const person = { minLength: 8, email: 'Anna.Petrova@example.org', name: 'Анна Петрова' }
const stranger = { minLength: 8 }
const reason = (password: string, rules: PasswordRules = person) => checkPassword(password, rules)?.reason ?? null

describe('The length of a password', () => {
  test('is counted in code points, not in UTF-16 units', () => {
    assert.deepEqual(checkPassword('🐘🦊🐙🌋🍉🪐🎻', person), { reason: 'too_short', values: { min: 8 } })
    assert.equal(reason('🐘🦊🐙🌋🍉🪐🎻🧭'), null)
  })

  test('is counted after normalization', () => {
    assert.equal(reason('йцхгйжё'.normalize('NFD')), 'too_short')
  })

  test('is at most 128', () => {
    const long = 'lorem ipsum dolor sit amet '.repeat(5)
    assert.equal(reason(long.slice(0, 128)), null)
    assert.deepEqual(checkPassword(long.slice(0, 129), person), { reason: 'too_long', values: { max: 128 } })
  })

  test('is at least MIN_PASSWORD_LENGTH', () => {
    assert.deepEqual(checkPassword('vault-lion', { minLength: 12 }), { reason: 'too_short', values: { min: 12 } })
  })
})

describe('A common password is refused', () => {
  const file = readFileSync(new URL('../../../src/modules/credentials/common-passwords.txt', import.meta.url), 'utf8')
  const entries = file.split('\n').filter((line) => line !== '' && !/^#( |$)/.test(line))

  test('from a list of at least 10,000 entries of allowed length', () => {
    assert.ok(entries.filter((entry) => [...entry].length >= 8).length >= 10_000)
    assert.equal(new Set(entries).size, entries.length)
  })

  test('for a sample of the list, in any case', () => {
    const long = entries.filter((entry) => [...entry].length >= 8)
    for (const entry of long.filter((_, index) => index % 50 === 0)) {
      assert.equal(reason(entry, stranger), 'too_common', entry)
      assert.equal(reason(entry.toUpperCase(), stranger), 'too_common', entry)
    }
    assert.equal(reason(long[0] as string), 'too_common')
    assert.equal(reason(long.at(-1) as string), 'too_common')
  })

  test('for every entry of the file, including the first and the last', () => {
    for (const entry of [entries[0], entries.at(-1), ...entries.filter((_, index) => index % 97 === 0)])
      assert.ok(isCommon(entry as string), entry)
  })

  for (const password of ['Password2024!', '!Football1', 'iloveyou', 'пароль123', 'приветпривет', '1q2w3e4r5t'])
    test(`as ${password}`, () => assert.equal(reason(password), 'too_common'))

  for (const password of ['aaaaaaaa', 'ъъъъъъъъъ', 'xyxyxyxyx', 'тамтамтам', '????????'])
    test(`as the repetition ${password}`, () => assert.equal(reason(password), 'too_common'))

  for (const password of [
    '12345678',
    '9876543210',
    '78901234',
    'cdefghijk',
    'ёжзийклм',
    'asdfghjkl',
    'фывапролд',
    'abc123xyz',
  ])
    test(`as the sequence ${password}`, () => assert.equal(reason(password), 'too_common'))

  test('but not for a part of an entry or a longer text', () => {
    assert.equal(reason('footballs under the moon'), null)
    assert.equal(reason('asswordp'), null)
  })
})

describe('A password made of personal data is refused', () => {
  for (const password of [
    'anna.petrova@example.org',
    'ANNA.PETROVA',
    'petrova1990!',
    '2024annapetrova',
    'Петрова-Анна-7',
    'Bukhindor2024!',
    '!!Бухиндор!!',
    'anna@Bukhindor',
  ])
    test(`as ${password}`, () => assert.equal(reason(password), 'personal'))

  test('in either Unicode form', () => {
    const rules = { minLength: 8, name: 'Сергей'.normalize('NFD') }
    assert.equal(checkPassword('Сергей1985', rules)?.reason, 'personal')
    assert.equal(checkPassword('Сергей1985'.normalize('NFD'), rules)?.reason, 'personal')
  })

  test('for a phone number as the local part', () => {
    assert.equal(checkPassword('79161234567', { minLength: 8, email: '79161234567@example.org' })?.reason, 'personal')
  })

  test('but a passphrase may contain a name, and short names are ignored', () => {
    assert.equal(reason('anna rides a green tram'), null)
    assert.equal(reason('bukhindor opens at noon'), null)
    assert.equal(checkPassword('84li71#93-27', { minLength: 8, name: 'Li' }), null)
    assert.equal(checkPassword('8471-1-2093', { minLength: 8, email: '1@example.org' }), null)
  })

  test('and neither an email nor a name is required', () => {
    assert.equal(checkPassword('correct horse battery', { minLength: 8 }), null)
  })
})

test('the password check never throws and accepts long random passwords', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.string(), fc.string(), (password, email, name) => {
      checkPassword(password, { minLength: 8, email, name })
    }),
  )
  fc.assert(
    fc.property(fc.uuid({ version: 4 }), (password) => {
      assert.equal(reason(password), null)
    }),
  )
})
