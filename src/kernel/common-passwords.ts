import { readFileSync } from 'node:fs'

/** The keys of the Russian layout and, in the same places, of the English one: people type Russian words on the latter. */
const RUSSIAN = 'ёйцукенгшщзхъфывапролджэячсмитьбю'
const ENGLISH = "`qwertyuiop[]asdfghjkl;'zxcvbnm,."
const KEYS = new Map([...RUSSIAN].map((letter, index) => [letter, ENGLISH[index] as string]))
const inEnglishLayout = (text: string) => text.replace(/[а-яё]/g, (letter) => KEYS.get(letter) ?? letter)

const SEQUENCES = [
  '0123456789',
  'abcdefghijklmnopqrstuvwxyz',
  'абвгдеёжзийклмнопрстуфхцчшщъыьэюя',
  'абвгдежзийклмнопрстуфхцчшщъыьэюя',
  'qwertyuiopasdfghjklzxcvbnm',
  'йцукенгшщзхъфывапролджэячсмитьбю',
].flatMap((row) => [row + row, [...(row + row)].reverse().join('')])

/** A word with a year, a few digits or signs around it is no better than the word. */
const MAX_DECORATION = 6
const DECORATED = /^[^\p{L}]*(.*?)[^\p{L}]*$/su

const SHORTEST_ENTRY = 8
// One text of 170 KB, searched in about 0.1 ms: a set of its lines would take ten times that memory.
let list: string | undefined

function isListed(password: string): boolean {
  if (password.length < SHORTEST_ENTRY) return false
  list ??= readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8')
  return list.includes(`\n${password}\n`)
}

/** The length of the longest run along one of SEQUENCES at the start of the text; 0 if it is shorter than 3. */
function runLength(text: string): number {
  let length = 2
  while (length < text.length && SEQUENCES.some((row) => row.includes(text.slice(0, length + 1)))) length++
  return length > 2 ? length : 0
}

/** Whether it is made of nothing but runs: `12345678`, `qwer4321`, `абвгд123`. */
function isSequence(password: string): boolean {
  let rest = password
  for (let run = runLength(rest); run > 0; run = runLength(rest)) rest = rest.slice(run)
  return rest === ''
}

/** Whether it is one to four characters over and over: `aaaaaaaa`, `abcabcabc`. */
function isRepetition(password: string): boolean {
  return [1, 2, 3, 4].some((unit) => password.slice(unit) === password.slice(0, -unit))
}

/**
 * Whether attackers try the password first: it is on the packaged list, in either keyboard layout and with a year or the
 * like around it, or it is a repetition or a sequence.
 *
 * @param password in NFC and lower case
 */
export function isCommon(password: string): boolean {
  const word = DECORATED.exec(password)?.[1] ?? ''
  const bare = password.length - word.length <= MAX_DECORATION ? [password, word] : [password]
  const candidates = new Set([...bare, ...bare.map(inEnglishLayout)])
  if ([...candidates].some(isListed)) return true
  return isRepetition(password) || isSequence(password)
}
