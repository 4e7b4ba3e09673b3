import { defineErrors } from '../../kernel/errors/app-error.ts'

export const rateLimitsErrors = defineErrors({
  rate_limited: {
    status: 429,
    action: 'retry',
    title: 'Too many attempts',
    text: {
      en: 'Too many attempts. Please wait a moment and try again.',
      ru: 'Слишком много попыток. Подождите немного и попробуйте ещё раз.',
    },
    about: 'A rate limit is exceeded. Retry after the seconds in `Retry-After`.',
  },
})
