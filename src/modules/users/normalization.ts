import { domainToASCII } from 'node:url'

/**
 * Returns the key that makes an e-mail address unique: NFC, case-folded, with an IDNA-encoded domain. Confusable
 * letters stay distinct.
 */
export const emailKey = (email: string): string => keyBy(email, foldCase)

/** Returns the key used before migration 0009, which accounts keep whose folded addresses would have collided. */
export const earlierEmailKey = (email: string): string => keyBy(email, (local) => local.normalize('NFC').toLowerCase())

function keyBy(email: string, fold: (local: string) => string): string {
  const at = email.lastIndexOf('@')
  const local = fold(email.slice(0, at)).normalize('NFC')
  return `${local}@${domainToASCII(email.slice(at + 1)).toLowerCase()}`
}

/**
 * Applies full Unicode case folding, which JavaScript lacks: lower-casing alone distinguishes final sigma, and ß from
 * ss. Upper-casing and lower-casing does the same for every character except dotless ı, a letter of its own.
 */
const foldCase = (text: string): string =>
  text
    .normalize('NFD') // decomposes the iota subscript, with the marks in canonical order
    .split('ı')
    .map((part) => part.toLowerCase().toUpperCase().toLowerCase()) // ẞ has no upper case, but its lower case ß has
    .join('ı')
    .replaceAll('ς', 'σ')

/** Returns a name in its stored form: NFC, trimmed. */
export const cleanName = (name: string): string => name.normalize('NFC').trim()

/** Removes the differences that a search ignores: letter case, Unicode form, white space, ё and е. */
export const fold = (text: string): string =>
  text.normalize('NFC').toLowerCase().replaceAll('ё', 'е').normalize('NFC').replace(/\s+/g, ' ').trim()

/**
 * Returns the text that is searched. Two spaces precede the e-mail and each word of the name, so that the trigram index
 * also finds words by their first letters: docs/decisions/0004.
 */
export const searchText = (email: string, name: string): string =>
  `  ${fold(email)}\n${fold(name)
    .split(' ')
    .map((word) => `  ${word}`)
    .join('')}`

/** Returns the term to look for in `searchText`, at least three characters, or null if `q` is empty. */
export function searchTerm(q: string): string | null {
  const folded = fold(q)
  if (!folded) return null
  const term = folded.replaceAll(' ', '  ')
  return [...folded].length <= 2 ? `  ${term}` : term
}
