import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AppError, defineErrors } from '../../../src/kernel/errors/app-error.ts'

const text = { en: 'No.', ru: 'Нет.' }

describe('An error', () => {
  test('is created from its definition, which knows its reason', () => {
    const errors = defineErrors({ too_late: { status: 409, action: 'none', title: 'Too late', text, about: 'Late.' } })
    const error = new AppError(errors.too_late)
    assert.deepEqual([error.reason, error.status, error.message], ['too_late', 409, 'Too late'])
    assert.equal(new AppError(errors.too_late, { detail: 'By a day.' }).message, 'By a day.')
  })

  // The type checker refuses each of these, and refuses this file if it ever stops doing so.
  test('does not compile without a sentence in each language, or with a reason instead of a definition', () => {
    // @ts-expect-error There is no Russian sentence.
    defineErrors({ too_late: { status: 409, action: 'none', title: 'Too late', text: { en: 'No.' }, about: 'Late.' } })
    const errors = defineErrors({ too_late: { status: 409, action: 'none', title: 'Too late', text, about: 'Late.' } })
    // @ts-expect-error There is no such error.
    assert.throws(() => new AppError(errors.too_early))
    // @ts-expect-error A name is no definition.
    assert.equal(new AppError('too_late').status, undefined)
  })
})
