import { domainToASCII } from 'node:url'

/**
 * What makes an e-mail address unique: Unicode NFC, letters in lower case, the domain as IDNA encodes it. Two addresses
 * of one account differ in none of these; confusable letters of different scripts stay different.
 */
export function emailKey(email: string): string {
  const at = email.lastIndexOf('@')
  const local = email.slice(0, at).normalize('NFC').toLowerCase().normalize('NFC')
  return `${local}@${domainToASCII(email.slice(at + 1)).toLowerCase()}`
}

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
