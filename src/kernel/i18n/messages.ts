import type { Locale } from './locale.ts'

/** A sentence in every language. */
export type Text = Record<Locale, string>

/** What is wrong with a field of a request. */
export interface FieldFault {
  /** JSON pointer, or the name of a parameter. */
  path: string
  /** Stable, for programs. */
  reason: string
  /** What `{…}` in the sentence stands for. */
  values?: Record<string, string | number>
  /** The sentence of a module for a reason of its own; for the others it is in `FIELD_MESSAGES`. */
  text?: Text
}

/** What is wrong with a field, by reason; `{…}` is filled from the fault's values. */
export const FIELD_MESSAGES = {
  required: { en: 'This field is required.', ru: 'Это поле обязательно.' },
  unknown_field: { en: 'There is no such field. Allowed: {allowed}.', ru: 'Такого поля нет. Можно: {allowed}.' },
  type: { en: 'Must be: {expected}.', ru: 'Нужно: {expected}.' },
  format: { en: 'This does not look right: {expected} is expected.', ru: 'Неверный формат, нужно: {expected}.' },
  email: { en: 'Please enter a valid e-mail address.', ru: 'Введите правильный e-mail.' },
  blank: {
    en: 'Must not be empty or contain control characters.',
    ru: 'Не должно быть пустым и содержать служебные символы.',
  },
  too_short: { en: 'At least {min} characters.', ru: 'Не меньше {min} символов.' },
  too_long: { en: 'At most {max} characters.', ru: 'Не больше {max} символов.' },
  out_of_range: { en: 'Must be {comparison} {limit}.', ru: 'Должно быть {comparison} {limit}.' },
  not_allowed: { en: 'Allowed: {allowed}.', ru: 'Можно: {allowed}.' },
} as const satisfies Record<string, Text>

/** Declares sentences for people, each in every language. */
export const defineMessages = <const K extends string>(messages: Record<K, Text>): Readonly<Record<K, Text>> => messages

/** The sentence for a fault of a field, with its values filled in. */
export function fieldMessage({ reason, values = {}, text }: Omit<FieldFault, 'path'>, locale: Locale): string {
  const sentence = (text ?? (FIELD_MESSAGES as Record<string, Text>)[reason])?.[locale] ?? reason
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole))
}
