import type { Locale } from './locale.ts'

type Text = Record<Locale, string>

/** What is wrong with a field, by reason; `{…}` is filled from the fault's values. */
export const FIELD_MESSAGES = {
  required: { en: 'This field is required.', ru: 'Это поле обязательно.' },
  unknown_field: { en: 'There is no such field. Allowed: {allowed}.', ru: 'Такого поля нет. Можно: {allowed}.' },
  type: { en: 'Must be: {expected}.', ru: 'Нужно: {expected}.' },
  format: { en: 'This does not look right: {expected} is expected.', ru: 'Неверный формат, нужно: {expected}.' },
  email: { en: 'Please enter a valid e-mail address.', ru: 'Введите правильный e-mail.' },
  blank: {
    en: 'Must not be empty or contain control characters.',
    ru: 'Не должно быть пустым и содержать служебные символы.',
  },
  too_short: { en: 'At least {min} characters.', ru: 'Не меньше {min} символов.' },
  too_long: { en: 'At most {max} characters.', ru: 'Не больше {max} символов.' },
  out_of_range: { en: 'Must be {comparison} {limit}.', ru: 'Должно быть {comparison} {limit}.' },
  not_allowed: { en: 'Allowed: {allowed}.', ru: 'Можно: {allowed}.' },
  too_common: {
    en: 'This password is too common: it would be guessed first.',
    ru: 'Слишком распространённый пароль: его подберут первым.',
  },
  personal: {
    en: 'The password must not be made of your e-mail, your name or the name of the service.',
    ru: 'Пароль не должен состоять из вашего e-mail, имени или названия сервиса.',
  },
  same_password: { en: 'The new password is the same as the old one.', ru: 'Новый пароль совпадает со старым.' },
  admin_only: { en: 'Only an administrator can change this.', ru: 'Это может менять только администратор.' },
  same_email: { en: 'This is your e-mail already.', ru: 'Это уже ваш e-mail.' },
} as const satisfies Record<string, Text>

/** Confirmations, the `message` of an answer. */
export const MESSAGES = {
  registered: { en: 'Your account is ready. Please sign in.', ru: 'Аккаунт создан. Войдите в него.' },
  signed_in: { en: 'Welcome back!', ru: 'С возвращением!' },
  refreshed: { en: 'Session renewed.', ru: 'Сеанс продлён.' },
  signed_out: { en: 'You are signed out.', ru: 'Вы вышли из аккаунта.' },
  signed_out_everywhere: { en: 'You are signed out on these devices.', ru: 'Вы вышли на этих устройствах.' },
  session_ended: { en: 'The session was ended.', ru: 'Сеанс завершён.' },
  sessions_ended: { en: 'The sessions were ended.', ru: 'Сеансы завершены.' },
  account_deleted: { en: 'Your account is deleted.', ru: 'Аккаунт удалён.' },
  deletion_requested: {
    en: 'Your account will be deleted. To keep it, open the link in our e-mail.',
    ru: 'Аккаунт будет удалён. Чтобы сохранить его, откройте ссылку из нашего письма.',
  },
  deletion_undone: { en: 'Your account stays. Please sign in.', ru: 'Аккаунт сохранён. Войдите в него.' },
  password_changed: { en: 'Your password is changed.', ru: 'Пароль изменён.' },
  password_reset: { en: 'Your password is changed. Please sign in.', ru: 'Пароль изменён. Войдите с новым паролем.' },
  reset_sent: {
    en: 'If there is an account with this e-mail, a link is on its way.',
    ru: 'Если аккаунт с таким e-mail есть, ссылка уже отправлена.',
  },
  reset_sent_to_user: { en: 'The user gets a link by e-mail.', ru: 'Пользователь получит ссылку по e-mail.' },
  verification_sent: { en: 'Please look into your mailbox.', ru: 'Проверьте почту.' },
  email_verified: { en: 'Your e-mail is confirmed.', ru: 'E-mail подтверждён.' },
  email_change_sent: {
    en: 'Please open the link that we have sent to the new address.',
    ru: 'Откройте ссылку, которую мы отправили на новый адрес.',
  },
  email_changed: { en: 'Your e-mail is changed.', ru: 'E-mail изменён.' },
  user_deleted: { en: 'The user was deleted.', ru: 'Пользователь удалён.' },
} as const satisfies Record<string, Text>

export type MessageKey = keyof typeof MESSAGES

/** The sentence for a fault of a field, with its values filled in. */
export function fieldMessage(reason: string, locale: Locale, values: Record<string, string | number> = {}): string {
  const text = (FIELD_MESSAGES as Record<string, Text>)[reason]?.[locale] ?? reason
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole))
}
