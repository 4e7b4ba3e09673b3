import { domainToASCII } from 'node:url'

/**
 * What makes an e-mail address unique: Unicode NFC, case folded, the domain as IDNA encodes it. Two addresses of one
 * account differ in none of these; confusable letters stay different.
 */
export const emailKey = (email: string): string => keyBy(email, foldCase)

/** The key of before migration 0009, which a few accounts still have: two that one folded address would have merged. */
export const earlierEmailKey = (email: string): string => keyBy(email, (local) => local.normalize('NFC').toLowerCase())

function keyBy(email: string, fold: (local: string) => string): string {
  const at = email.lastIndexOf('@')
  const local = fold(email.slice(0, at)).normalize('NFC')
  return `${local}@${domainToASCII(email.slice(at + 1)).toLowerCase()}`
}

/**
 * Unicode's full case folding, which JavaScript lacks: lower case alone keeps apart what differs in the final sigma or in
 * ß and SS. To upper case and back is the same for every character but the dotless ı, which is a letter of its own.
 */
const foldCase = (text: string): string =>
  text
    .normalize('NFD') // the iota below a letter becomes one beside it: marks are put in order first
    .split('ı')
    .map((part) => part.toLowerCase().toUpperCase().toLowerCase()) // ẞ has no upper case, its lower case has
    .join('ı')
    .replaceAll('ς', 'σ')

/** A name as it is kept: NFC, without space at its ends. */
export const cleanName = (name: string): string => name.normalize('NFC').trim()

/** Text without the differences that a search overlooks: letter case, Unicode form, ё and е. */
export const fold = (text: string): string =>
  text.normalize('NFC').toLowerCase().replaceAll('ё', 'е').normalize('NFC').replace(/\s+/g, ' ').trim()

/**
 * What a search looks in. Two spaces stand before the e-mail and before each word of the name, so that a single letter
 * with its two spaces is a trigram: the one index that finds parts of words also finds their beginnings.
 */
export const searchText = (email: string, name: string): string =>
  `  ${fold(email)}\n${fold(name)
    .split(' ')
    .map((word) => `  ${word}`)
    .join('')}`

/** What is looked for in `searchText`: at least three characters, or null where `q` is empty. */
export function searchTerm(q: string): string | null {
  const folded = fold(q)
  if (!folded) return null
  const term = folded.replaceAll(' ', '  ')
  return [...folded].length <= 2 ? `  ${term}` : term
}
