import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { hashSync } from '@node-rs/argon2'
import { checkPassword } from '../../../src/modules/credentials/password-policy.ts'

const json = (url: string): string[] => JSON.parse(readFileSync(new URL(url), 'utf8'))
const PASSWORDS = json(import.meta.resolve('@zxcvbn-ts/language-common/src/passwords.json'))
const WORDS = json(import.meta.resolve('@zxcvbn-ts/language-en/src/commonWords.json'))
const DICEWARE = json(import.meta.resolve('@zxcvbn-ts/language-common/src/diceware.json'))

const passes = (password: string) => checkPassword(password, { minLength: 8 }) === null
const share = (passwords: string[]) => passwords.filter(passes).length / passwords.length

/** Numbers below a bound that are the same in each run. */
function dice(seed: string) {
  let round = 0
  return (below: number) => createHash('sha256').update(`${seed}/${round++}`).digest().readUIntBE(0, 6) % below
}

const capital = (word: string) => word[0]?.toUpperCase() + word.slice(1)
const leet = (word: string) => word.replaceAll('a', '@').replaceAll('o', '0').replaceAll('e', '3').replaceAll('s', '$')

/** What a person makes of a word when told to use a capital, a digit and a sign. */
function patterns(word: string, roll: (below: number) => number): string[] {
  const digits = (count: number) => Array.from({ length: count }, () => roll(10)).join('')
  const year = String(1950 + roll(80))
  const sign = '!@#$%.*?-_'[roll(10)] as string
  return [
    `${capital(word)}${digits(1)}${sign}`,
    `${capital(word)}${digits(2)}${sign}`,
    `${word}${digits(3)}`,
    `${capital(word)}${digits(4)}${sign}`,
    `${word}${digits(4)}`,
    `${capital(word)}${year}${sign}`,
    `${capital(word)}${sign}${year}`,
    `${sign}${word.toUpperCase()}${digits(3)}`,
    `${leet(word)}${digits(2)}${sign}`,
    `${capital(leet(word))}${year}`,
    `${capital(word)}123${sign}`,
    `${digits(2)}${capital(word)}${digits(2)}`,
    `${[...word].join('.')}${digits(1)}`,
  ].filter((password) => password.length >= 8)
}

describe('Common passwords', () => {
  for (const password of [
    'Welcome1!',
    'Qwerty123!',
    'Summer2026!',
    'P@$$w0rd!',
    '5ummer2026',
    'S.u.m.m.e.r.7',
    'Dragon#1987',
    'D0g2024!',
    'drowssap1',
    'ylfrettub7',
    'MonkeyMonkey1',
    'Пароль2026!',
    'Gfhjkm2026!',
    'Лето2026!',
    'Ktnj2026!!',
    '31121990',
    '1990-12-31',
    '1qaz@WSX',
    'qwertyuiop[]',
    '11223344',
    'Zaq12wsx!',
  ])
    test(`are refused: ${password}`, () => assert.equal(passes(password), false))

  for (const password of [
    'vault-lion',
    'hj4Kq9-zt',
    'correct horse',
    'синий трамвай',
    '84li71#93-27',
    'monkey19283746',
  ])
    test(`do not include ${password}`, () => assert.equal(passes(password), true))

  test('include at least 97 % of the ten thousand most used', () => {
    const used = PASSWORDS.filter((password) => [...password].length >= 8).slice(0, 10_000)
    assert.equal(used.length, 10_000)
    assert.ok(share(used) <= 0.03, `${share(used)}`)
    assert.ok(share(used.map(capital)) <= 0.03)
  })

  test('include at least 95 % of seasons and months with a year, sign or substituted letters', () => {
    const roll = dice('seasons')
    const words =
      'summer winter spring autumn january march april june july august september october december monday friday'
    const made = words.split(' ').flatMap((word) => Array.from({ length: 10 }, () => patterns(word, roll)).flat())
    assert.ok(made.length > 1500)
    assert.ok(share(made) <= 0.05, `${made.filter(passes).slice(0, 20)}`)
  })

  test('include at least 95 % of patterns of common words of four letters or more', () => {
    const roll = dice('words')
    const words = WORDS.filter((word) => /^[a-z]{4,}$/.test(word)).slice(0, 20_000)
    const made = Array.from({ length: 1000 }, () => patterns(words[roll(words.length)] as string, roll)).flat()
    assert.ok(share(made) <= 0.05, `${share(made)}: ${made.filter(passes).slice(0, 20)}`)
  })

  test('include none of a thousand passphrases of four random words', () => {
    const roll = dice('phrases')
    const word = () => DICEWARE[roll(DICEWARE.length)] as string
    for (let number = 0; number < 1000; number++) {
      const words = [word(), word(), word(), word()]
      for (const phrase of [words.join(' '), words.join('-'), words.map(capital).join(''), `${words.join(' ')}1!`])
        assert.ok(passes(phrase), phrase)
    }
  })

  test('include none of a thousand random passwords of twelve or more characters', () => {
    const roll = dice('random')
    const alphabets = ['abcdefghijklmnopqrstuvwxyz', 'abcdefghijklmnopqrstuvwxyz0123456789', '0123456789abcdef']
    alphabets.push(Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join(''))
    alphabets.push('абвгдежзийклмнопрстуфхцчшщъыьэюя0123456789', '0123456789')
    for (let number = 0; number < 1000; number++)
      for (const alphabet of alphabets) {
        const letters = [...alphabet]
        const password = Array.from({ length: 12 + roll(9) }, () => letters[roll(letters.length)]).join('')
        assert.ok(passes(password), password)
      }
  })

  test('are detected in far less time than hashing takes', () => {
    const hostile = ['1'.repeat(128), '!1'.repeat(64), `${'0'.repeat(12)}${'@1!'.repeat(20)}${'0'.repeat(12)}`]
    hostile.push(
      'a1'.repeat(64),
      `${'1'.repeat(12)}${'a!'.repeat(32)}${'!'.repeat(12)}`,
      'qwerty'.repeat(21),
      'я1'.repeat(64),
    )
    hostile.push(
      `${'4'.repeat(12)}${'s'.repeat(40)}${'4'.repeat(12)}`,
      '🐘'.repeat(128),
      '. . '.repeat(32),
      '1.'.repeat(64),
    )
    const timed = (password: string, work = () => void passes(password)) => {
      let best = Number.POSITIVE_INFINITY
      for (let round = 0; round < 5; round++) {
        const start = performance.now()
        for (let times = 0; times < 10; times++) work()
        best = Math.min(best, (performance.now() - start) / 10)
      }
      return best
    }
    const ordinary = ['Welcome1!', 'kG8#mPq2!xZ9', 'a walk along the river']
    timed('warm')
    const hashing = timed(
      'x',
      () => void hashSync('x', { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 }),
    )
    for (const password of [...hostile, ...ordinary]) {
      const time = timed(password)
      assert.ok(time < hashing / 4, `${password}: ${time} ms beside ${hashing} ms for its hash`)
    }
  })
})
