import { defineErrors } from '../../kernel/errors/app-error.ts'

export const rateLimitsErrors = defineErrors({
  rate_limited: {
    status: 429,
    action: 'retry',
    title: 'Too many attempts',
    text: { en: 'Too many attempts. Please wait a little.', ru: 'Слишком много попыток. Подождите немного.' },
    about: 'Wait for the seconds in `Retry-After`.',
  },
})
