import { defineErrors } from '../../kernel/errors/app-error.ts'

export const authErrors = defineErrors({
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
    challenge: 'invalid_token',
    text: { en: 'Please sign in again.', ru: 'Войдите в аккаунт ещё раз.' },
    about: 'The access token is malformed, or not signed by this service. A refresh gives a valid one.',
  },
  token_expired: {
    status: 401,
    action: 'refresh',
    title: 'Access token expired',
    challenge: 'invalid_token',
    text: { en: 'Please try again.', ru: 'Попробуйте ещё раз.' },
    about: 'The access token is past its time. Refresh once and repeat the call.',
  },
  invalid_credentials: {
    status: 401,
    action: 'fix',
    title: 'Wrong e-mail or password',
    text: { en: 'Wrong e-mail or password.', ru: 'Неверный e-mail или пароль.' },
    about: 'No account has this e-mail and password. The answer is the same whether the e-mail is known or not.',
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
  cross_site_request: {
    status: 403,
    action: 'none',
    title: 'Cross-site request',
    text: {
      en: 'This request came from another website and was refused.',
      ru: 'Запрос пришёл с другого сайта и отклонён.',
    },
    about:
      'The refresh cookie came with a request that neither this service’s own pages nor an allowed origin of the same site has sent (`Sec-Fetch-Site`, `Origin`).',
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
      'A sign-in with `"delivery": "cookie"` came from a page whose browser would drop the cookie: another site, an origin that is not allowed, or plain http. Serve the app on the same site, or use `"delivery": "body"`.',
  },
})
