import { readFileSync } from 'node:fs'
import { decorationCost, isDate, isRepetition, isSequence } from './password-patterns.ts'

/** The keys of the Russian layout and, in the same places, of the English one: people type Russian words on the latter. */
const RUSSIAN = 'ёйцукенгшщзхъфывапролджэячсмитьбю'
const ENGLISH = "`qwertyuiop[]asdfghjkl;'zxcvbnm,."
const TO_ENGLISH = new Map([...RUSSIAN].map((letter, index) => [letter, ENGLISH[index] as string]))
const TO_RUSSIAN = new Map([...ENGLISH].map((letter, index) => [letter, RUSSIAN[index] as string]))
const typedBy = (keys: Map<string, string>) => (text: string) => [...text].map((key) => keys.get(key) ?? key).join('')

/** What stands for a letter in its place: `p@ssw0rd`. A `1`, `!` or `|` may be an i or an l. */
const LEET = new Map(
  Object.entries({ 0: 'o', 3: 'e', 4: 'a', 5: 's', 7: 't', 8: 'b', '@': 'a', $: 's', '+': 't', '(': 'c' }),
)
const IS_LEET = /[0134578@$!|+(]/
const unleet = (text: string, one: string) => text.replace(/[0134578@$!|+(]/g, (sign) => LEET.get(sign) ?? one)

/** Spaces only between parts of a word: single letters with spaces around them are left to whoever likes them. */
const SEPARATORS = /[._,-]+|(?<=\p{L}{2})\s+(?=\p{L}{2})/gu
const MAX_ENTRY_LENGTH = 32
/** So many signs may stand on either side of a word: more are no decoration. */
const MAX_DECORATION = 12
/** What a decoration may cost (`decorationCost`) beside a word of three, four or more letters, and still add nothing. */
const ADDS_NOTHING = (letters: number) => (letters < 3 ? -1 : letters === 3 ? 2 : letters === 4 ? 5 : 6)

/**
 * Tells what attackers try first: a word or password of the list, in either keyboard layout, backwards, twice, with signs
 * for letters, with separators, and with a year or the like around it; or a repetition, a sequence or a date.
 *
 * @param isListed whether a text in lower case is on the list
 */
export function createCommonPasswords(isListed: (text: string) => boolean) {
  const isWord = (text: string): boolean => {
    if (text.length < 3 || text.length > 2 * MAX_ENTRY_LENGTH) return false
    if (isListed(text) || isListed([...text].reverse().join(''))) return true
    const half = text.slice(0, text.length / 2)
    return half.length > 2 && half + half === text && isListed(half)
  }

  /** The text as it stands, and as it reads. */
  function isWordInDisguise(text: string): boolean {
    const readings = new Set([text, text.replace(SEPARATORS, '')])
    if (IS_LEET.test(text))
      for (const reading of [...readings]) for (const one of 'il') readings.add(unleet(reading, one))
    return (text.length > 4 && isSequence(text)) || [...readings].some(isWord)
  }

  /** Whether a word is left when signs at its ends are taken for a decoration: all of them, or some, as in `5ummer2026`. */
  function isDecoratedWord(text: string): boolean {
    const letters = [...text]
    const head = letters.findIndex((letter) => /\p{L}/u.test(letter))
    const tail = letters.length - 1 - letters.findLastIndex((letter) => /\p{L}/u.test(letter))
    if (head < 0 || head > MAX_DECORATION || tail > MAX_DECORATION) return false
    if (letters.length - head - tail > 2 * MAX_ENTRY_LENGTH) return false
    for (let before = head; before >= 0; before--)
      for (let after = tail; after >= 0; after--) {
        const word = letters.slice(before, letters.length - after)
        const cost =
          decorationCost(letters.slice(0, before).join('')) +
          decorationCost(letters.slice(letters.length - after).join(''))
        if (cost <= ADDS_NOTHING(word.length) && isWordInDisguise(word.join(''))) return true
      }
    return false
  }

  /** @param password in NFC and lower case */
  return (password: string): boolean => {
    if (isRepetition(password) || isSequence(password) || isDate(password)) return true
    if (isWordInDisguise(password) || isDecoratedWord(password)) return true
    return [typedBy(TO_ENGLISH), typedBy(TO_RUSSIAN)]
      .map((typed) => typed(password))
      .some((text) => text !== password && (isWordInDisguise(text) || isDecoratedWord(text)))
  }
}

/** Lines in the order of their bytes, searched as they are: a set of them would take ten times the memory. */
let list: Buffer | undefined

function isListed(text: string): boolean {
  list ??= readList()
  const wanted = Buffer.from(text)
  let [from, to] = [0, list.length]
  while (from < to) {
    const middle = (from + to) >> 1
    const start = middle === 0 ? 0 : list.lastIndexOf(LINE_END, middle - 1) + 1
    const found = list.indexOf(LINE_END, start)
    const end = found < 0 ? list.length : found
    const order = wanted.compare(list, start, end)
    if (order === 0) return true
    if (order < 0) to = start
    else from = end + 1
  }
  return false
}

const LINE_END = 10

/** The licences stand on top, up to an empty line. */
function readList(): Buffer {
  const file = readFileSync(new URL('./common-passwords.txt', import.meta.url))
  return file.subarray(file.indexOf('\n\n') + 2)
}

/** Whether attackers try the password first. @param password in NFC and lower case */
export const isCommon = createCommonPasswords(isListed)
