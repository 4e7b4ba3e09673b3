import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { negotiateLocale } from '../../../src/kernel/i18n/locale.ts'
import { FIELD_MESSAGES, FIELD_MESSAGES_BY_KIND, fieldMessage } from '../../../src/kernel/i18n/messages.ts'
import { MESSAGES } from '../../../src/messages.ts'

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

  test('has every sentence in both, with the same values to fill in', () => {
    const byKind = Object.entries(FIELD_MESSAGES_BY_KIND).flatMap(([reason, kinds]) =>
      Object.entries(kinds).map(([kind, text]) => [`${reason} ${kind}`, text] as const),
    )
    for (const [key, { en, ru }] of [...Object.entries({ ...FIELD_MESSAGES, ...MESSAGES }), ...byKind]) {
      assert.match(ru, /[а-яё]/i, key)
      assert.doesNotMatch(en, /[а-яё]/i, key)
      const values = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
      assert.deepEqual(values(ru), values(en), key)
    }
  })

  test('fills values in, and nothing that comes with them', () => {
    assert.equal(fieldMessage('too_long', 'en', { max: 100 }), 'At most 100 characters.')
    assert.equal(fieldMessage('too_short', 'en', { min: 1 }), 'At least 1 character.')
    assert.equal(fieldMessage('too_short', 'ru', { min: 8 }), 'Не меньше 8 символов.')
    assert.equal(fieldMessage('too_short', 'ru', { min: 21 }), 'Не меньше 21 символа.')
    assert.equal(fieldMessage('out_of_range', 'ru', { kind: '>=', limit: 1 }), 'Не меньше 1.')
    assert.equal(fieldMessage('type', 'ru', { kind: 'string' }), 'Нужна строка.')
    assert.equal(fieldMessage('type', 'en', { kind: 'other' }), 'The value has the wrong type.')
    assert.equal(fieldMessage('not_allowed', 'ru', { allowed: '{max} $& ru' }), 'Допустимые значения: {max} $& ru.')
  })
})
