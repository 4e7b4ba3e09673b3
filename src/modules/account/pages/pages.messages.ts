import type { Locale } from '../../../kernel/i18n/locale.ts'
import { characters } from '../../../kernel/i18n/messages.ts'
import type { LinkKind } from '../../credentials/one-time-tokens.service.ts'

interface PageTexts {
  common: {
    error: string
    expired: string
    expiredText: string
    /** Labels before the current or the new address. */
    account: string
    newAddress: string
    password: string
    passwordAgain: string
    mismatch: string
    passwordHint: (minLength: number) => string
    showPassword: string
  }
  confirm: Record<LinkKind, { title: string; text: string; button: string }>
  done: Record<LinkKind, { title: string; text: string[] }>
  /** What to do when the link no longer works. */
  failed: Record<LinkKind, string>
}

export const PAGE_TEXTS: Record<Locale, PageTexts> = {
  en: {
    common: {
      error: 'Error',
      expired: 'This link is no longer valid',
      expiredText: 'It has already been used, has expired, or was replaced by a newer one.',
      account: 'Account',
      newAddress: 'New address',
      password: 'New password',
      passwordAgain: 'Confirm new password',
      mismatch: 'The passwords do not match.',
      passwordHint: (minLength) =>
        `At least ${minLength} ${characters(minLength, 'en')}. A phrase of several words is easy to remember and hard to guess.`,
      showPassword: 'Show password',
    },
    confirm: {
      verify_email: {
        title: 'Confirm your e-mail',
        text: 'Press the button to confirm that this address is yours.',
        button: 'Confirm e-mail',
      },
      reset_password: {
        title: 'Choose a new password',
        text: 'After that, sign in again with the new password on all your devices.',
        button: 'Save password',
      },
      change_email: {
        title: 'Confirm your new address',
        text: 'Press the button to use this address to sign in from now on. It replaces your current address.',
        button: 'Confirm address',
      },
      undo_deletion: {
        title: 'Keep your account?',
        text: 'Press the button to cancel the deletion. Your account stays with all its data.',
        button: 'Keep my account',
      },
    },
    done: {
      verify_email: { title: 'E-mail confirmed', text: ['Thank you! You can close this page and return to the app.'] },
      reset_password: {
        title: 'Password changed',
        text: ['You have been signed out on all devices.', 'Open the app and sign in with the new password.'],
      },
      change_email: {
        title: 'Address changed',
        text: ['From now on, sign in with this address.', 'You can close this page and return to the app.'],
      },
      undo_deletion: {
        title: 'Your account will not be deleted',
        text: ['We are glad that you are staying. Open the app and sign in as before.'],
      },
    },
    failed: {
      verify_email:
        'If you have already confirmed your e-mail, you do not need to do anything. Otherwise, open the app and request a new message.',
      reset_password: 'If you have not changed your password yet, request a new link on the sign-in screen of the app.',
      change_email:
        'If you have already confirmed the new address, sign in with it. Otherwise, start the change again in the app.',
      undo_deletion:
        'If you have already kept your account, you do not need to do anything. Otherwise, open the app and sign in: until the data is deleted, the app offers to keep the account.',
    },
  },
  ru: {
    common: {
      error: 'Ошибка',
      expired: 'Ссылка больше не действует',
      expiredText: 'Ссылка уже использована, устарела или заменена более новой.',
      account: 'Аккаунт',
      newAddress: 'Новый адрес',
      password: 'Новый пароль',
      passwordAgain: 'Повторите новый пароль',
      mismatch: 'Пароли не совпадают.',
      passwordHint: (minLength) =>
        `Не меньше ${minLength} ${characters(minLength, 'ru')}. Фразу из нескольких слов легко запомнить и трудно подобрать.`,
      showPassword: 'Показать пароль',
    },
    confirm: {
      verify_email: {
        title: 'Подтвердите e-mail',
        text: 'Нажмите кнопку, чтобы подтвердить, что этот адрес ваш.',
        button: 'Подтвердить e-mail',
      },
      reset_password: {
        title: 'Задайте новый пароль',
        text: 'После этого на всех устройствах нужно будет войти заново с новым паролем.',
        button: 'Сохранить пароль',
      },
      change_email: {
        title: 'Подтвердите новый адрес',
        text: 'Нажмите кнопку, чтобы с этого момента входить с этим адресом. Он заменит прежний.',
        button: 'Подтвердить адрес',
      },
      undo_deletion: {
        title: 'Сохранить аккаунт?',
        text: 'Нажмите кнопку, чтобы отменить удаление. Аккаунт и все данные сохранятся.',
        button: 'Сохранить аккаунт',
      },
    },
    done: {
      verify_email: { title: 'E-mail подтверждён', text: ['Спасибо! Закройте эту страницу и вернитесь в приложение.'] },
      reset_password: {
        title: 'Пароль изменён',
        text: ['Сеансы на всех устройствах завершены.', 'Откройте приложение и войдите с новым паролем.'],
      },
      change_email: {
        title: 'Адрес изменён',
        text: ['Теперь входите с этим адресом.', 'Закройте эту страницу и вернитесь в приложение.'],
      },
      undo_deletion: {
        title: 'Аккаунт сохранён',
        text: ['Рады, что вы остаётесь с нами. Откройте приложение и войдите, как раньше.'],
      },
    },
    failed: {
      verify_email:
        'Если вы уже подтвердили адрес, ничего делать не нужно. Если нет, откройте приложение и запросите новое письмо.',
      reset_password: 'Если вы ещё не изменили пароль, запросите новую ссылку на экране входа в приложение.',
      change_email:
        'Если вы уже подтвердили новый адрес, входите с ним. Если нет, начните смену адреса в приложении ещё раз.',
      undo_deletion:
        'Если вы уже сохранили аккаунт, ничего делать не нужно. Если нет, откройте приложение и войдите: пока данные не удалены, приложение предложит сохранить аккаунт.',
    },
  },
}
