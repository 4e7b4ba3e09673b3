import { defineErrors } from './app-error.ts'

export const kernelErrors = defineErrors({
  malformed_json: {
    status: 400,
    action: 'fix',
    title: 'Malformed JSON',
    text: {
      en: 'The request could not be read. Please update the app and try again.',
      ru: 'Не удалось прочитать запрос. Обновите приложение и попробуйте ещё раз.',
    },
    about:
      'The body is not valid UTF-8 JSON, is nested deeper than 32 levels, or contains a key `__proto__` or `constructor`.',
  },
  malformed_request: {
    status: 400,
    action: 'fix',
    title: 'Malformed request',
    text: {
      en: 'The request could not be read. Please check the address or update the app.',
      ru: 'Не удалось прочитать запрос. Проверьте адрес или обновите приложение.',
    },
    about: 'The request is not valid HTTP, its path cannot be decoded, or a header is malformed.',
  },
  expectation_failed: {
    status: 417,
    action: 'fix',
    title: 'Expectation failed',
    text: {
      en: 'The request could not be processed. Please update the app and try again.',
      ru: 'Не удалось обработать запрос. Обновите приложение и попробуйте ещё раз.',
    },
    about: 'The `Expect` header has a value other than `100-continue`.',
  },
  validation_failed: {
    exampleFields: [{ path: '/email', reason: 'email' }],
    status: 400,
    action: 'fix',
    title: 'Request validation failed',
    text: {
      en: 'Please check what you entered and try again.',
      ru: 'Проверьте введённые данные и попробуйте ещё раз.',
    },
    about:
      'A field of the body, a query parameter or a path parameter is invalid. `fields` lists each with its reason.',
  },
  invalid_cursor: {
    status: 400,
    action: 'fix',
    title: 'Invalid cursor',
    text: {
      en: 'This page of the list is no longer available. Please reload the list.',
      ru: 'Эта страница списка больше недоступна. Обновите список.',
    },
    about:
      'The cursor was modified, or belongs to a list with another sort order. Request the first page again, without a cursor.',
  },
  not_found: {
    status: 404,
    action: 'none',
    title: 'Not found',
    text: {
      en: 'Nothing was found. It may have been deleted.',
      ru: 'Ничего не найдено. Возможно, это уже удалено.',
    },
    about: 'The path or the object does not exist.',
  },
  method_not_allowed: {
    status: 405,
    action: 'fix',
    title: 'Method not allowed',
    text: {
      en: 'This action is not available. Please update the app.',
      ru: 'Это действие недоступно. Обновите приложение.',
    },
    about: 'The path exists but does not support this method. `Allow` lists the methods that it supports.',
  },
  request_timeout: {
    status: 408,
    action: 'retry',
    title: 'Request timed out',
    text: {
      en: 'The connection is too slow. Please try again.',
      ru: 'Соединение слишком медленное. Попробуйте ещё раз.',
    },
    about: 'The request did not arrive completely in time.',
  },
  idempotency_in_progress: {
    status: 409,
    action: 'retry',
    title: 'Request in progress',
    text: { en: 'Still processing. Please wait a moment.', ru: 'Запрос ещё обрабатывается. Подождите немного.' },
    about:
      'A request with the same `Idempotency-Key` is still being processed. Repeat the request with that key after the seconds in `Retry-After` to get its response.',
  },
  precondition_failed: {
    status: 412,
    action: 'fix',
    title: 'Precondition failed',
    text: {
      en: 'Someone else has changed this data. Please reload it and try again.',
      ru: 'Эти данные уже изменил кто-то другой. Обновите страницу и попробуйте ещё раз.',
    },
    about:
      '`If-Match` does not match the current version of the object. Read the object again, then repeat the change.',
  },
  body_too_large: {
    status: 413,
    action: 'fix',
    title: 'Request body too large',
    text: {
      en: 'Too much data was sent. Please shorten it and try again.',
      ru: 'Слишком много данных. Сократите их и попробуйте ещё раз.',
    },
    about: 'A request body is limited to 100 KiB.',
  },
  uri_too_long: {
    status: 414,
    action: 'fix',
    title: 'URI too long',
    text: { en: 'The address is too long. Please check it.', ru: 'Слишком длинный адрес. Проверьте его.' },
    about: 'A path segment is longer than 128 characters.',
  },
  unsupported_media_type: {
    status: 415,
    action: 'fix',
    title: 'Unsupported media type',
    text: {
      en: 'The request could not be read. Please update the app and try again.',
      ru: 'Не удалось прочитать запрос. Обновите приложение и попробуйте ещё раз.',
    },
    about: 'Send the body as `Content-Type: application/json`, uncompressed.',
  },
  idempotency_key_reused: {
    status: 422,
    action: 'fix',
    title: 'Idempotency key reused',
    text: {
      en: 'The request could not be processed. Please start again.',
      ru: 'Не удалось обработать запрос. Начните заново.',
    },
    about:
      'The `Idempotency-Key` was used for a different request in the last 24 hours: the path, query, body or `If-Match` differs. Use a new key for each operation.',
  },
  headers_too_large: {
    status: 431,
    action: 'fix',
    title: 'Request headers too large',
    text: {
      en: 'The request could not be read. Please update the app and try again.',
      ru: 'Не удалось прочитать запрос. Обновите приложение и попробуйте ещё раз.',
    },
    about: 'The headers of a request are limited to 16 KiB in total.',
  },
  internal: {
    status: 500,
    action: 'retry',
    title: 'Internal error',
    text: { en: 'Something went wrong. Please try again.', ru: 'Что-то пошло не так. Попробуйте ещё раз.' },
    about: 'An unexpected error in the service. The log entry with the same `request_id` contains the cause.',
  },
  overloaded: {
    status: 503,
    action: 'retry',
    title: 'Overloaded',
    text: {
      en: 'The service is busy. Please try again in a moment.',
      ru: 'Сервис перегружен. Попробуйте чуть позже.',
    },
    about: 'The service receives more requests than it can process. Retry after the seconds in `Retry-After`.',
  },
  database_unavailable: {
    status: 503,
    action: 'retry',
    title: 'Database unavailable',
    text: {
      en: 'The service is temporarily unavailable. Please try again in a moment.',
      ru: 'Сервис временно недоступен. Попробуйте чуть позже.',
    },
    about: 'The database does not respond, or cannot be written to. Retry after the seconds in `Retry-After`.',
  },
  deadline_exceeded: {
    status: 503,
    action: 'retry',
    title: 'Deadline exceeded',
    text: {
      en: 'This is taking too long. Please try again.',
      ru: 'Запрос выполняется слишком долго. Попробуйте ещё раз.',
    },
    about: 'The request could not be answered within the deadline (`REQUEST_TIMEOUT`).',
  },
  shutting_down: {
    status: 503,
    action: 'retry',
    title: 'Shutting down',
    text: {
      en: 'The service is restarting. Please try again in a moment.',
      ru: 'Сервис перезапускается. Попробуйте чуть позже.',
    },
    about: 'This instance is shutting down. A retry reaches another instance, or this one after its restart.',
  },
  forbidden: {
    status: 403,
    action: 'none',
    title: 'Forbidden',
    text: { en: 'You do not have permission to do this.', ru: 'У вас нет прав на это действие.' },
    about: 'The endpoint, the object or one of its fields is reserved for administrators.',
  },
})
