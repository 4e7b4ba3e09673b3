import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { negotiateLocale } from '../../../src/kernel/i18n/locale.ts'
import { FIELD_MESSAGES, FIELD_MESSAGES_BY_KIND, fieldMessage, type Text } from '../../../src/kernel/i18n/messages.ts'
import * as messages from '../../../src/messages.ts'

describe('The language of an answer', () => {
  const cases: [string | undefined, string][] = [
    [undefined, 'en'],
    ['', 'en'],
    ['ru', 'ru'],
    ['RU-ru', 'ru'],
    ['ru-RU, ru;q=0.9, en;q=0.8', 'ru'],
    ['en;q=0.8, ru;q=0.9', 'ru'],
    ['en, ru', 'en'],
    ['de, fr;q=0.9', 'en'],
    ['de, ru;q=0.1', 'ru'],
    ['*', 'en'],
    ['*;q=0.5, ru;q=0.4', 'en'],
    ['ru;q=0', 'en'],
    ['ru;q=nonsense', 'en'],
    ['ru ; q=1', 'ru'],
    ['rust', 'en'],
  ]
  for (const [header, locale] of cases)
    test(`for "${header}" is ${locale}`, () => assert.equal(negotiateLocale(header), locale))

  test('has every sentence in both languages, with the same placeholders', () => {
    const byKind = Object.entries(FIELD_MESSAGES_BY_KIND).flatMap(([reason, kinds]) =>
      Object.entries(kinds).map(([kind, text]) => [`${reason} ${kind}`, text] as const),
    )
    const pages = [FIELD_MESSAGES, ...Object.values(messages)].flatMap((page) => Object.entries<Text>(page))
    for (const [key, { en, ru }] of [...pages, ...byKind]) {
      assert.match(ru, /[а-яё]/i, key)
      assert.doesNotMatch(en, /[а-яё]/i, key)
      const values = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
      assert.deepEqual(values(ru), values(en), key)
    }
  })

  test('fills in values without interpreting them', () => {
    const cases: [string, 'en' | 'ru', Record<string, string | number>, string][] = [
      ['too_long', 'en', { max: 100 }, 'At most 100 characters.'],
      ['too_short', 'en', { min: 1 }, 'At least 1 character.'],
      ['too_short', 'ru', { min: 8 }, 'Не меньше 8 символов.'],
      ['too_short', 'ru', { min: 21 }, 'Не меньше 21 символа.'],
      ['out_of_range', 'ru', { kind: '>=', limit: 1 }, 'Не меньше 1.'],
      ['type', 'ru', { kind: 'string' }, 'Нужна строка.'],
      ['type', 'en', { kind: 'other' }, 'The value has the wrong type.'],
      ['not_allowed', 'ru', { allowed: '{max} $& ru' }, 'Допустимые значения: {max} $& ru.'],
    ]
    for (const [reason, locale, values, sentence] of cases)
      assert.equal(fieldMessage({ reason, values }, locale), sentence)
  })
})
