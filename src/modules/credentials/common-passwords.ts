import { readFileSync } from 'node:fs'
import { decorationCost, isDate, isRepetition, isSequence } from './password-patterns.ts'

/** The same keys in the Russian and the English layout: Russian words are often typed in the English layout. */
const RUSSIAN = 'ёйцукенгшщзхъфывапролджэячсмитьбю'
const ENGLISH = "`qwertyuiop[]asdfghjkl;'zxcvbnm,."
const TO_ENGLISH = new Map([...RUSSIAN].map((letter, index) => [letter, ENGLISH[index] as string]))
const TO_RUSSIAN = new Map([...ENGLISH].map((letter, index) => [letter, RUSSIAN[index] as string]))
const retypedWith = (keys: Map<string, string>) => (text: string) =>
  [...text].map((key) => keys.get(key) ?? key).join('')

/** Characters that replace letters, as in `p@ssw0rd`. `1`, `!` and `|` may stand for i or l. */
const LEET = new Map(
  Object.entries({ 0: 'o', 3: 'e', 4: 'a', 5: 's', 7: 't', 8: 'b', '@': 'a', $: 's', '+': 't', '(': 'c' }),
)
const IS_LEET = /[0134578@$!|+(]/
const replaceLeet = (text: string, iOrL: string) => text.replace(/[0134578@$!|+(]/g, (sign) => LEET.get(sign) ?? iOrL)

/** Separators inside a word. Spaces count only between parts of at least two letters. */
const SEPARATORS = /[._,-]+|(?<=\p{L}{2})\s+(?=\p{L}{2})/gu
const MAX_ENTRY_LENGTH = 32
/** Longer additions on either side of a word are not treated as decoration. */
const MAX_DECORATION = 12
/** Highest `decorationCost` that is ignored beside a word with this many letters. */
const maxIgnoredCost = (letters: number) => (letters < 3 ? -1 : letters === 3 ? 2 : letters === 4 ? 5 : 6)

/**
 * Returns a function that recognizes passwords which attackers try first: listed words and common changes to them,
 * repetitions, sequences and dates.
 * @param isListed whether a lower-case text is on the list
 * @see docs/decisions/0014
 */
export function createCommonPasswords(isListed: (text: string) => boolean) {
  const isWord = (text: string): boolean => {
    if (text.length < 3 || text.length > 2 * MAX_ENTRY_LENGTH) return false
    if (isListed(text) || isListed([...text].reverse().join(''))) return true
    const half = text.slice(0, text.length / 2)
    return half.length > 2 && half + half === text && isListed(half)
  }

  /** Checks the text itself, and without separators and replaced letters. */
  function isDisguisedWord(text: string): boolean {
    const readings = new Set([text, text.replace(SEPARATORS, '')])
    if (IS_LEET.test(text))
      for (const reading of [...readings]) for (const iOrL of 'il') readings.add(replaceLeet(reading, iOrL))
    return (text.length > 4 && isSequence(text)) || [...readings].some(isWord)
  }

  /**
   * Returns whether a word remains after characters at its ends are removed: all of them or some, as in `5ummer2026`.
   */
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
        if (cost <= maxIgnoredCost(word.length) && isDisguisedWord(word.join(''))) return true
      }
    return false
  }

  /** @param password in NFC and lower case */
  return (password: string): boolean => {
    if (isRepetition(password) || isSequence(password) || isDate(password)) return true
    if (isDisguisedWord(password) || isDecoratedWord(password)) return true
    return [retypedWith(TO_ENGLISH), retypedWith(TO_RUSSIAN)]
      .map((typed) => typed(password))
      .some((text) => text !== password && (isDisguisedWord(text) || isDecoratedWord(text)))
  }
}

/** The lines, sorted by bytes and searched in place: a `Set` would take about ten times the memory. */
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

/** Skips the licenses at the top of the file, which end with an empty line. */
function readList(): Buffer {
  const file = readFileSync(new URL('./common-passwords.txt', import.meta.url))
  return file.subarray(file.indexOf('\n\n') + 2)
}

/**
 * Returns whether a password is among those that attackers try first.
 * @param password in NFC and lower case
 */
export const isCommon = createCommonPasswords(isListed)
