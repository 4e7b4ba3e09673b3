/** Detects passwords that are made by a rule. All texts are in lower case. */

const SEQUENCES = [
  '01234567890',
  '!@#$%^&*()_+',
  'abcdefghijklmnopqrstuvwxyz',
  'абвгдеёжзийклмнопрстуфхцчшщъыьэюя',
  'абвгдежзийклмнопрстуфхцчшщъыьэюя',
  'qwertyuiopasdfghjklzxcvbnm',
  'йцукенгшщзхъфывапролджэячсмитьбю',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/',
  'qazwsxedcrfvtgbyhnujmikolp',
  'йфяцычувскамепинртгоьшлбщдюзж',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
].flatMap((row) => [row + row, [...(row + row)].reverse().join('')])

/**
 * Returns the length of the longest run along one of SEQUENCES at the start of the text, or 0 if it is shorter than 3.
 */
function runLength(text: string): number {
  let length = 2
  while (length < text.length && SEQUENCES.some((row) => row.includes(text.slice(0, length + 1)))) length++
  return length > 2 ? length : 0
}

/** Returns whether a text consists of runs only: `12345678`, `qwer4321`, `абвгд123`, `1qaz2wsx`. */
export function isSequence(text: string): boolean {
  let rest = text
  for (let run = runLength(rest); run > 0; run = runLength(rest)) rest = rest.slice(run)
  return rest === ''
}

/**
 * Returns whether a text repeats one to four characters (`aaaaaaaa`, `abcabcabc`), or repeats each of up to four
 * different characters at least twice in a row.
 */
export function isRepetition(text: string): boolean {
  if ([1, 2, 3, 4].some((unit) => text.length > unit && text.slice(unit) === text.slice(0, -unit))) return true
  // Checked run by run: a single pattern would backtrack exponentially on long runs.
  const runs = text.match(/(.)\1*/gsu) ?? []
  return text.length >= 8 && new Set(text).size <= 4 && runs.every((run) => [...run].length > 1)
}

/** Returns whether a text may be a date, with or without separators: `01021990`, `1990-02-01`, `1.2.90`. */
export function isDate(text: string): boolean {
  const digits = /^\d{6,8}$/.test(text)
    ? [text]
    : /^\d{1,4}([./_-])\d{1,2}\1\d{1,4}$/.test(text)
      ? [
          text
            .split(/[./_-]/)
            .map((part) => part.padStart(2, '0'))
            .join(''),
        ]
      : []
  return digits.some((text) => {
    const [a, b] = [Number(text.slice(0, 2)), Number(text.slice(2, 4))]
    const isDay = (day: number, month: number) => day >= 1 && day <= 31 && month >= 1 && month <= 12
    const isYear = (year: string) => /^(19|20)\d\d$/.test(year)
    if (text.length === 6) return isDay(a, b) || isDay(b, a) || isDay(Number(text.slice(4)), b)
    if (text.length !== 8) return false
    if (isYear(text.slice(4)) && (isDay(a, b) || isDay(b, a))) return true
    const [c, d] = [Number(text.slice(4, 6)), Number(text.slice(6))]
    return isYear(text.slice(0, 4)) && (isDay(c, d) || isDay(d, c))
  })
}

/**
 * Returns how much digits and signs beside a word add against guessing by rules: 1 for a year, date, sequence or
 * repetition, and 1 for each other character.
 */
export function decorationCost(text: string): number {
  let cost = 0
  for (const [group] of text.matchAll(/\d+|[^\d]+/g)) cost += isSinglePattern(group) ? 1 : group.length
  return cost
}

const isSinglePattern = (group: string): boolean =>
  /^(19|20)\d\d$/.test(group) || /^(.)\1*$/su.test(group) || (group.length > 2 && isSequence(group)) || isDate(group)
