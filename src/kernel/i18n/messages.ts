import type { Locale } from './locale.ts'

/** A text in every language. */
export type Text = Record<Locale, string>

/** A validation error of one field or parameter. */
export interface FieldFault {
  /** A JSON pointer, or the name of a parameter. */
  path: string
  /** Stable, for programs. */
  reason: string
  /** Values for `{…}` in the text. */
  values?: Record<string, string | number>
  /** The text for a reason that a module defines; for other reasons it is in `FIELD_MESSAGES`. */
  text?: Text
}

/** Texts of field errors by reason; `{…}` is replaced by the values of the fault. */
export const FIELD_MESSAGES = {
  required: { en: 'This field is required.', ru: 'Обязательное поле.' },
  unknown_field: {
    en: 'Unknown field. Allowed fields: {allowed}.',
    ru: 'Неизвестное поле. Допустимые поля: {allowed}.',
  },
  type: { en: 'The value has the wrong type.', ru: 'Неверный тип значения.' },
  format: { en: 'The value has the wrong format.', ru: 'Неверный формат.' },
  email: { en: 'Please enter a valid e-mail address.', ru: 'Введите корректный e-mail.' },
  blank: {
    en: 'Must not be empty or contain control characters.',
    ru: 'Не может быть пустым или содержать управляющие символы.',
  },
  too_short: { en: 'At least {min} {characters}.', ru: 'Не меньше {min} {characters}.' },
  too_long: { en: 'At most {max} {characters}.', ru: 'Не больше {max} {characters}.' },
  out_of_range: { en: 'The value is out of range.', ru: 'Недопустимое значение.' },
  not_allowed: { en: 'Allowed values: {allowed}.', ru: 'Допустимые значения: {allowed}.' },
} as const satisfies Record<string, Text>

/** More precise texts for faults with a `kind`: the expected type or format, or the bound that is exceeded. */
export const FIELD_MESSAGES_BY_KIND: Partial<Record<keyof typeof FIELD_MESSAGES, Record<string, Text>>> = {
  type: {
    string: { en: 'Must be a string.', ru: 'Нужна строка.' },
    boolean: { en: 'Must be true or false.', ru: 'Нужно значение true (да) или false (нет).' },
    integer: { en: 'Must be a whole number.', ru: 'Нужно целое число.' },
    number: { en: 'Must be a number.', ru: 'Нужно число.' },
    object: { en: 'Must be a JSON object.', ru: 'Нужен объект JSON.' },
    array: { en: 'Must be a list.', ru: 'Нужен список.' },
  },
  format: {
    uuid: {
      en: 'Must be a UUID, such as 018f3c5e-7d2a-7c1b-9f00-0123456789ab.',
      ru: 'Нужен UUID, например 018f3c5e-7d2a-7c1b-9f00-0123456789ab.',
    },
    'date-time': {
      en: 'Must be a date and time in RFC 3339, such as 2026-11-22T12:00:00.000Z.',
      ru: 'Нужны дата и время по RFC 3339, например 2026-11-22T12:00:00.000Z.',
    },
    'printable-ascii': {
      en: 'Must contain only printable ASCII characters.',
      ru: 'Допустимы только печатаемые символы ASCII.',
    },
  },
  too_short: { empty: { en: 'Must not be empty.', ru: 'Не может быть пустым.' } },
  out_of_range: {
    '>=': { en: 'Must be at least {limit}.', ru: 'Не меньше {limit}.' },
    '<=': { en: 'Must be at most {limit}.', ru: 'Не больше {limit}.' },
  },
  not_allowed: { other: { en: 'This value is not allowed.', ru: 'Недопустимое значение.' } },
}

/** Declares user-visible texts. */
export const defineMessages = <const K extends string>(messages: Record<K, Text>): Readonly<Record<K, Text>> => messages

/** Returns the noun after a number, in Russian in the genitive: «не меньше 8 символов», «не меньше 21 символа». */
export function characters(count: number, locale: Locale): string {
  const isOne = new Intl.PluralRules(locale).select(count) === 'one'
  if (locale === 'ru') return isOne ? 'символа' : 'символов'
  return isOne ? 'character' : 'characters'
}

/** Returns the text for a field fault, with its values filled in. */
export function fieldMessage({ reason, values = {}, text }: Omit<FieldFault, 'path'>, locale: Locale): string {
  const byKind = (FIELD_MESSAGES_BY_KIND as Record<string, Record<string, Text>>)[reason]?.[values.kind ?? '']
  const sentence = (text ?? byKind ?? (FIELD_MESSAGES as Record<string, Text>)[reason])?.[locale] ?? reason
  const count = values.min ?? values.max
  const all = { ...values, ...(count !== undefined && { characters: characters(Number(count), locale) }) }
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => String((all as typeof values)[name] ?? whole))
}
