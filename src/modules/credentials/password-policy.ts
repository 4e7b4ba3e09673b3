import { AppError } from '../../kernel/errors/app-error.ts'
import type { Text } from '../../kernel/i18n/messages.ts'
import { isCommon } from './common-passwords.ts'
import { credentialsErrors } from './credentials.errors.ts'
import { credentialsMessages } from './credentials.messages.ts'

/** In code points, after normalization. */
export const MAX_PASSWORD_LENGTH = 128

/** The name of the service in both spellings. */
const SERVICE_WORDS = ['bukhindor', 'бухиндор']
/** Shorter words occur in too many good passwords. */
const MIN_WORD_LENGTH = 3
/** Parts without letters, such as a phone number, are checked only from this length on. */
const MIN_NUMBER_LENGTH = 6

export interface PasswordRules {
  /** In code points; at least 8. */
  minLength: number
  /** The user's own data: the password must not consist of it. */
  email?: string
  name?: string
}

export interface PasswordRefusal {
  reason: 'too_short' | 'too_long' | 'too_common' | 'personal'
  values?: { min: number } | { max: number }
}

const fold = (text: string) => text.normalize('NFC').toLowerCase()

/** Returns the words of the user and of the service, the longest first: `anna.petrova@example.org`, `petrova`. */
function personalWords(email: string, name: string): string[] {
  const localPart = email.slice(0, email.lastIndexOf('@'))
  const parts = `${localPart} ${name}`.split(/[^\p{L}\p{M}\p{N}]+/u)
  return [email, localPart, name, ...parts, ...SERVICE_WORDS]
    .map(fold)
    .filter((word) => [...word].length >= (/\p{L}/u.test(word) ? MIN_WORD_LENGTH : MIN_NUMBER_LENGTH))
    .sort((a, b) => b.length - a.length)
}

/** Returns whether only digits and signs remain when the given words are removed from a password. */
function isPersonal(password: string, words: string[]): boolean {
  const rest = words.reduce((text, word) => text.replaceAll(word, ' '), password)
  return rest !== password && !/\p{L}/u.test(rest)
}

/**
 * Returns why a new password is refused, or null. It has length limits and a blocklist, but no composition rules (NIST
 * SP 800-63B-4, 3.1.1.2; ASVS 5.0, 6.2.4, 6.2.5, 6.2.11).
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

/** Throws AppError `password_refused`, with the path of the field, for a password that `checkPassword` refuses. */
export function requirePassword(password: string, options: PasswordRules, path = '/password'): void {
  const refusal = checkPassword(password, options)
  if (!refusal) return
  const text = (credentialsMessages as Partial<Record<string, Text>>)[refusal.reason]
  throw new AppError(credentialsErrors.password_refused, { fields: [{ path, ...refusal, ...(text && { text }) }] })
}
