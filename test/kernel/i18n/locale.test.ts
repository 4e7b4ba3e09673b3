import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { negotiateLocale } from '../../../src/kernel/i18n/locale.ts'
import { FIELD_MESSAGES, fieldMessage, type Text } from '../../../src/kernel/i18n/messages.ts'
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
    for (const [key, { en, ru }] of [FIELD_MESSAGES, ...Object.values(messages)].flatMap((page) =>
      Object.entries<Text>(page),
    )) {
      assert.match(ru, /[а-яё]/i, key)
      assert.doesNotMatch(en, /[а-яё]/i, key)
      const values = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
      assert.deepEqual(values(ru), values(en), key)
    }
  })

  test('fills in values without interpreting them', () => {
    assert.equal(fieldMessage({ reason: 'too_long', values: { max: 100 } }, 'en'), 'At most 100 characters.')
    assert.equal(
      fieldMessage({ reason: 'not_allowed', values: { allowed: '{max} $& ru' } }, 'ru'),
      'Можно: {max} $& ru.',
    )
  })
})
