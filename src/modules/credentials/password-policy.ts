import { AppError } from '../../kernel/errors/app-error.ts'
import type { Text } from '../../kernel/i18n/messages.ts'
import { isCommon } from './common-passwords.ts'
import { credentialsErrors } from './credentials.errors.ts'
import { credentialsMessages } from './credentials.messages.ts'

/** In code points, after normalisation. */
export const MAX_PASSWORD_LENGTH = 128

/** The service's name, in both of its spellings. */
const SERVICE_WORDS = ['bukhindor', 'бухиндор']
/** Shorter names occur in too many good passwords. */
const MIN_WORD_LENGTH = 3
/** A part without letters, translate a telephone number, is telling only when it is long. */
const MIN_NUMBER_LENGTH = 6

export interface PasswordRules {
  /** In code points; at least 8. */
  minLength: number
  /** The person's own, which the password may not be made of. */
  email?: string
  name?: string
}

export interface PasswordRefusal {
  reason: 'too_short' | 'too_long' | 'too_common' | 'personal'
  values?: { min: number } | { max: number }
}

const fold = (text: string) => text.normalize('NFC').toLowerCase()

/** The words that tell who the person is, the longest first: `Анна`, `anna.petrova@example.org`, `petrova`. */
function personalWords(email: string, name: string): string[] {
  const localPart = email.slice(0, email.lastIndexOf('@'))
  const parts = `${localPart} ${name}`.split(/[^\p{L}\p{M}\p{N}]+/u)
  return [email, localPart, name, ...parts, ...SERVICE_WORDS]
    .map(fold)
    .filter((word) => [...word].length >= (/\p{L}/u.test(word) ? MIN_WORD_LENGTH : MIN_NUMBER_LENGTH))
    .sort((a, b) => b.length - a.length)
}

/** Whether nothing but digits and signs is left once the person's words are taken out. */
function isPersonal(password: string, words: string[]): boolean {
  const rest = words.reduce((text, word) => text.replaceAll(word, ' '), password)
  return rest !== password && !/\p{L}/u.test(rest)
}

/**
 * Why a new password is refused, or null if it is good: a length, and nothing that is guessed first; no rules about kinds
 * of characters (NIST SP 800-63B-4, 3.1.1.2; ASVS 5.0, 6.2.4, 6.2.5, 6.2.11).
 */
export function checkPassword(
  password: string,
  { minLength, email = '', name = '' }: PasswordRules,
): PasswordRefusal | null {
  const folded = fold(password)
  const length = [...password.normalize('NFC')].length
  if (length < minLength) return { reason: 'too_short', values: { min: minLength } }
  if (length > MAX_PASSWORD_LENGTH) return { reason: 'too_long', values: { max: MAX_PASSWORD_LENGTH } }
  if (isPersonal(folded, personalWords(email, name))) return { reason: 'personal' }
  if (isCommon(folded)) return { reason: 'too_common' }
  return null
}

/** Throws AppError `password_refused` for a password that `checkPassword` refuses, naming the field that held it. */
export function requirePassword(password: string, options: PasswordRules, path = '/password'): void {
  const refusal = checkPassword(password, options)
  if (!refusal) return
  const text = (credentialsMessages as Partial<Record<string, Text>>)[refusal.reason]
  throw new AppError(credentialsErrors.password_refused, { fields: [{ path, ...refusal, ...(text && { text }) }] })
}
