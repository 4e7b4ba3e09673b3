import { defineErrors } from '../../kernel/errors/app-error.ts'

export const authErrors = defineErrors({
  token_missing: {
    status: 401,
    action: 'reauthenticate',
    title: 'Access token missing',
    text: { en: 'Please sign in.', ru: 'Войдите в аккаунт.' },
    about: 'The endpoint requires `Authorization: Bearer …`, and the request has none.',
  },
  token_invalid: {
    status: 401,
    action: 'refresh',
    title: 'Invalid access token',
    challenge: 'invalid_token',
    text: { en: 'Please sign in again.', ru: 'Войдите в аккаунт ещё раз.' },
    about: 'The access token is malformed or not signed by this service. Refresh the session to get a valid one.',
  },
  token_expired: {
    status: 401,
    action: 'refresh',
    title: 'Access token expired',
    challenge: 'invalid_token',
    text: { en: 'Please try again.', ru: 'Попробуйте ещё раз.' },
    about: 'The access token has expired. Refresh the session once and repeat the request.',
  },
  invalid_credentials: {
    status: 401,
    action: 'fix',
    title: 'Wrong e-mail or password',
    text: {
      en: 'Wrong e-mail or password. Please check them and try again.',
      ru: 'Неверный e-mail или пароль. Проверьте их и попробуйте ещё раз.',
    },
    about:
      'No account has this combination of e-mail and password. The response is the same for known and unknown e-mails.',
  },
  account_inactive: {
    status: 403,
    action: 'none',
    title: 'Account deactivated',
    text: {
      en: 'An administrator has deactivated this account.',
      ru: 'Администратор отключил этот аккаунт.',
    },
    about: 'The password is correct, but an administrator has deactivated the account.',
  },
  email_not_verified: {
    status: 403,
    action: 'none',
    title: 'E-mail not verified',
    text: {
      en: 'Please confirm your e-mail first. We have sent you a link.',
      ru: 'Сначала подтвердите e-mail. Мы отправили вам ссылку.',
    },
    about: 'The password is correct, but `REQUIRE_VERIFIED_EMAIL` requires a verified e-mail address to sign in.',
  },
  account_deletion_pending: {
    status: 403,
    action: 'fix',
    title: 'Account scheduled for deletion',
    text: {
      en: 'This account will be deleted. To keep it, open the link in our e-mail.',
      ru: 'Аккаунт будет удалён. Чтобы сохранить его, откройте ссылку из нашего письма.',
    },
    about:
      'The password is correct, but the user has requested the deletion of the account. Its data is deleted at `delete_after`. To keep the account, sign in with `"undo_deletion": true` or open the link in the e-mail.',
  },
  cross_site_request: {
    status: 403,
    action: 'none',
    title: 'Cross-site request refused',
    text: {
      en: 'This request came from another website and was blocked. Please open the app at its usual address.',
      ru: 'Запрос пришёл с другого сайта и был отклонён. Откройте приложение по его обычному адресу.',
    },
    about:
      'The request carries the refresh cookie, but comes neither from this service’s own origin nor from an allowed origin on the same site (`Sec-Fetch-Site`, `Origin`).',
  },
  cookie_not_deliverable: {
    status: 400,
    action: 'fix',
    title: 'Cookie cannot be delivered',
    text: {
      en: 'Your browser cannot keep you signed in on this page. Please open the app at its usual address.',
      ru: 'Браузер не сможет сохранить вход на этой странице. Откройте приложение по его обычному адресу.',
    },
    about:
      'The request asks for `"delivery": "cookie"`, but the browser would drop the cookie: the page is on another site, on an origin that is not allowed, or on plain HTTP. Serve the app on the same site, or use `"delivery": "body"`.',
  },
})
