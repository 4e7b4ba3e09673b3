import type { Locale } from '../i18n/locale.ts'

/** What a client should do about an error (contract, section 3). */
export type Action = 'fix' | 'retry' | 'refresh' | 'reauthenticate' | 'none'

interface ReasonDefinition {
  status: number
  action: Action
  /** Short English summary, the `title` of RFC 9457. */
  title: string
  /** The sentence that the app shows to a person. */
  text: Record<Locale, string>
  /** When it happens and what helps, for `/docs/errors`. */
  about: string
}

const define = <const R extends string>(reasons: Record<R, ReasonDefinition>) => reasons

/** Every reason that the service can answer with: the one list from which errors, documentation and tests are made. */
export const REASONS = define({
  malformed_json: {
    status: 400,
    action: 'fix',
    title: 'Malformed JSON',
    text: { en: 'The request could not be read.', ru: 'Не удалось прочитать запрос.' },
    about:
      'The body is no valid UTF-8 JSON, is nested deeper than 32 levels, or has a key `__proto__` or `constructor`.',
  },
  malformed_request: {
    status: 400,
    action: 'fix',
    title: 'Malformed request',
    text: { en: 'The request could not be read.', ru: 'Не удалось прочитать запрос.' },
    about: 'The request is no valid HTTP, its path is not decodable, or a header is not of its form.',
  },
  expectation_failed: {
    status: 417,
    action: 'fix',
    title: 'Expectation failed',
    text: { en: 'The request could not be processed.', ru: 'Не удалось обработать запрос.' },
    about: 'The header `Expect` asks for something other than `100-continue`.',
  },
  validation_failed: {
    status: 400,
    action: 'fix',
    title: 'Invalid input',
    text: { en: 'Please check the highlighted fields.', ru: 'Проверьте отмеченные поля.' },
    about: 'A field, query parameter or path parameter is not allowed; `fields` names each with its reason.',
  },
  password_refused: {
    status: 400,
    action: 'fix',
    title: 'Password refused',
    text: { en: 'Please choose another password.', ru: 'Выберите другой пароль.' },
    about:
      'The new password is too short, too long, too common, or made of the person’s own data; `fields` says which.',
  },
  invalid_cursor: {
    status: 400,
    action: 'fix',
    title: 'Invalid cursor',
    text: { en: 'This page of the list is not available any more.', ru: 'Эта страница списка больше недоступна.' },
    about: 'The cursor was changed, or belongs to a list with another sort order. Start again without it.',
  },
  token_missing: {
    status: 401,
    action: 'reauthenticate',
    title: 'Not signed in',
    text: { en: 'Please sign in.', ru: 'Войдите в аккаунт.' },
    about: 'The endpoint needs `Authorization: Bearer …` and the request had none.',
  },
  token_invalid: {
    status: 401,
    action: 'refresh',
    title: 'Invalid access token',
    text: { en: 'Please sign in again.', ru: 'Войдите в аккаунт ещё раз.' },
    about: 'The access token is malformed, or not signed by this service. A refresh gives a valid one.',
  },
  token_expired: {
    status: 401,
    action: 'refresh',
    title: 'Access token expired',
    text: { en: 'Please try again.', ru: 'Попробуйте ещё раз.' },
    about: 'The access token is past its time. Refresh once and repeat the call.',
  },
  session_ended: {
    status: 401,
    action: 'reauthenticate',
    title: 'Session ended',
    text: { en: 'Your session has ended. Please sign in again.', ru: 'Сеанс завершён. Войдите в аккаунт ещё раз.' },
    about:
      'The session was ended by logout, revocation, a changed password, expiry, or the account is gone or inactive.',
  },
  refresh_invalid: {
    status: 401,
    action: 'reauthenticate',
    title: 'Invalid refresh token',
    text: { en: 'Please sign in again.', ru: 'Войдите в аккаунт ещё раз.' },
    about: 'The refresh token is malformed or was not made by this service.',
  },
  refresh_reused: {
    status: 401,
    action: 'reauthenticate',
    title: 'Refresh token reused',
    text: {
      en: 'For your safety this session was ended. Please sign in again.',
      ru: 'Сеанс завершён для вашей безопасности. Войдите в аккаунт ещё раз.',
    },
    about: 'A refresh token of a past generation was used: somebody else may have a copy, so the session was ended.',
  },
  invalid_credentials: {
    status: 401,
    action: 'fix',
    title: 'Wrong e-mail or password',
    text: { en: 'Wrong e-mail or password.', ru: 'Неверный e-mail или пароль.' },
    about: 'No account has this e-mail and password. The answer is the same whether the e-mail is known or not.',
  },
  password_wrong: {
    status: 403,
    action: 'fix',
    title: 'Wrong password',
    text: { en: 'The password is wrong.', ru: 'Неверный пароль.' },
    about: 'The current password that confirms this step is wrong. The session goes on.',
  },
  account_inactive: {
    status: 403,
    action: 'none',
    title: 'Account deactivated',
    text: {
      en: 'This account is deactivated. Please contact support.',
      ru: 'Аккаунт отключён. Обратитесь в поддержку.',
    },
    about: 'The password is right, and an administrator has deactivated the account.',
  },
  email_not_verified: {
    status: 403,
    action: 'none',
    title: 'E-mail not verified',
    text: {
      en: 'Please confirm your e-mail first: we have sent you a link.',
      ru: 'Сначала подтвердите e-mail: мы отправили вам ссылку.',
    },
    about:
      'The password is right, but with `REQUIRE_VERIFIED_EMAIL` the address must be verified before the first login.',
  },
  account_deletion_pending: {
    status: 403,
    action: 'fix',
    title: 'Account is being deleted',
    text: {
      en: 'This account is going to be deleted. To keep it, open the link in our e-mail.',
      ru: 'Аккаунт будет удалён. Чтобы сохранить его, откройте ссылку из нашего письма.',
    },
    about:
      'The password is right, and the person has deleted the account; `delete_after` says when its data goes. Signing in with `"undo_deletion": true`, or the link in the e-mail, keeps it.',
  },
  link_invalid: {
    status: 400,
    action: 'fix',
    title: 'Link not valid',
    text: {
      en: 'This link has expired or was already used. Please ask for a new one.',
      ru: 'Ссылка устарела или уже использована. Запросите новую.',
    },
    about: 'The one-time token is unknown, used, expired, replaced by a newer one, or of another kind.',
  },
  forbidden: {
    status: 403,
    action: 'none',
    title: 'Not allowed',
    text: { en: 'You are not allowed to do this.', ru: 'У вас нет прав на это действие.' },
    about: 'The endpoint, the object or a field of it is for administrators.',
  },
  cross_site_request: {
    status: 403,
    action: 'none',
    title: 'Cross-site request',
    text: {
      en: 'This request came from another website and was refused.',
      ru: 'Запрос пришёл с другого сайта и отклонён.',
    },
    about:
      'The refresh cookie came with a request that neither this service’s own pages nor an allowed origin of the same ' +
      'site has sent (`Sec-Fetch-Site`, `Origin`).',
  },
  cookie_not_deliverable: {
    status: 400,
    action: 'fix',
    title: 'Cookie not deliverable',
    text: {
      en: 'Your browser does not keep the sign-in cookie here. Please contact support.',
      ru: 'Браузер не сохранит здесь cookie для входа. Обратитесь в поддержку.',
    },
    about:
      'A sign-in with `"delivery": "cookie"` came from a page whose browser would drop the cookie: another site, an origin ' +
      'that is not allowed, or plain http. Serve the app on the same site, or use `"delivery": "body"`.',
  },
  last_admin: {
    status: 409,
    action: 'none',
    title: 'Last administrator',
    text: {
      en: 'The last active administrator cannot be removed.',
      ru: 'Нельзя убрать последнего активного администратора.',
    },
    about: 'The last active administrator can be neither deleted, demoted nor deactivated. Make another one first.',
  },
  not_found: {
    status: 404,
    action: 'none',
    title: 'Not found',
    text: { en: 'Nothing was found here.', ru: 'Здесь ничего не найдено.' },
    about: 'There is no such path, or no such object.',
  },
  method_not_allowed: {
    status: 405,
    action: 'fix',
    title: 'Method not allowed',
    text: { en: 'This action is not possible.', ru: 'Это действие невозможно.' },
    about: 'The path exists, with other methods: `Allow` names them.',
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
  email_taken: {
    status: 409,
    action: 'fix',
    title: 'E-mail taken',
    text: { en: 'This e-mail is already taken.', ru: 'Этот e-mail уже занят.' },
    about: 'Another account has this e-mail, whatever its letters’ case and Unicode form.',
  },
  idempotency_in_progress: {
    status: 409,
    action: 'retry',
    title: 'Still in progress',
    text: { en: 'This is still being done. Please wait a moment.', ru: 'Это ещё выполняется. Подождите немного.' },
    about:
      'A request with the same `Idempotency-Key` is still at work. Repeat it with that key after the seconds in ' +
      '`Retry-After`, and get its answer.',
  },
  precondition_failed: {
    status: 412,
    action: 'fix',
    title: 'Changed meanwhile',
    text: {
      en: 'Somebody else has changed this meanwhile. Please reload it.',
      ru: 'Данные уже изменил кто-то другой. Обновите страницу.',
    },
    about: '`If-Match` names an older version of the object. Read it again, then repeat the change.',
  },
  body_too_large: {
    status: 413,
    action: 'fix',
    title: 'Body too large',
    text: { en: 'That is too much data.', ru: 'Слишком много данных.' },
    about: 'A request body may have 100 KiB.',
  },
  uri_too_long: {
    status: 414,
    action: 'fix',
    title: 'Path too long',
    text: { en: 'The address is too long.', ru: 'Слишком длинный адрес.' },
    about: 'A part of the path is longer than any that exists.',
  },
  unsupported_media_type: {
    status: 415,
    action: 'fix',
    title: 'Unsupported content type',
    text: { en: 'The request could not be read.', ru: 'Не удалось прочитать запрос.' },
    about: 'A body must be sent as `Content-Type: application/json`, uncompressed.',
  },
  idempotency_key_reused: {
    status: 422,
    action: 'fix',
    title: 'Idempotency key reused',
    text: { en: 'This could not be done. Please start again.', ru: 'Не получилось. Начните, пожалуйста, заново.' },
    about:
      'The `Idempotency-Key` was used for another request in the last 24 hours: path, query, body or `If-Match` differ. ' +
      'Use a new key for each intent.',
  },
  headers_too_large: {
    status: 431,
    action: 'fix',
    title: 'Headers too large',
    text: { en: 'The request could not be read.', ru: 'Не удалось прочитать запрос.' },
    about: 'The headers of a request may have 16 KiB together.',
  },
  rate_limited: {
    status: 429,
    action: 'retry',
    title: 'Too many attempts',
    text: { en: 'Too many attempts. Please wait a little.', ru: 'Слишком много попыток. Подождите немного.' },
    about: 'Wait for the seconds in `Retry-After`.',
  },
  internal: {
    status: 500,
    action: 'retry',
    title: 'Internal error',
    text: { en: 'Something went wrong. Please try again.', ru: 'Что-то пошло не так. Попробуйте ещё раз.' },
    about: 'A fault of the service. The log line with the same `request_id` has the cause.',
  },
  overloaded: {
    status: 503,
    action: 'retry',
    title: 'Overloaded',
    text: { en: 'The service is busy. Please try again.', ru: 'Сервис перегружен. Попробуйте ещё раз.' },
    about: 'More work arrives than can be done in time. Wait for the seconds in `Retry-After`.',
  },
  database_unavailable: {
    status: 503,
    action: 'retry',
    title: 'Database unavailable',
    text: {
      en: 'The service is not available right now. Please try again.',
      ru: 'Сервис временно недоступен. Попробуйте ещё раз.',
    },
    about: 'The database does not answer, or cannot write. Wait for the seconds in `Retry-After`.',
  },
  deadline_exceeded: {
    status: 503,
    action: 'retry',
    title: 'Took too long',
    text: { en: 'This took too long. Please try again.', ru: 'Это заняло слишком много времени. Попробуйте ещё раз.' },
    about: 'The request could not be answered before its deadline.',
  },
  shutting_down: {
    status: 503,
    action: 'retry',
    title: 'Restarting',
    text: { en: 'The service is restarting. Please try again.', ru: 'Сервис перезапускается. Попробуйте ещё раз.' },
    about: 'This instance is going away. The next try reaches another one, or this one after its restart.',
  },
})

export type Reason = keyof typeof REASONS
