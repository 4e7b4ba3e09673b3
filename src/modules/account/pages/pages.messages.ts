import type { Locale } from '../../../kernel/i18n/locale.ts'
import type { LinkKind } from '../../credentials/one-time-tokens.service.ts'

interface PageTexts {
  common: {
    error: string
    expired: string
    expiredText: string
    password: string
    passwordAgain: string
    mismatch: string
    passwordHint: (minLength: number) => string
  }
  confirm: Record<LinkKind, { title: string; text: string; button: string }>
  done: Record<LinkKind, { title: string; text: string[] }>
  /** What to do when the link works no more. */
  failed: Record<LinkKind, string>
}

export const PAGE_TEXTS: Record<Locale, PageTexts> = {
  en: {
    common: {
      error: 'Error',
      expired: 'This link does not work any more',
      expiredText: 'It has been used already, has expired, or a newer one has replaced it.',
      password: 'New password',
      passwordAgain: 'The new password again',
      mismatch: 'The two passwords are not the same.',
      passwordHint: (minLength) =>
        `At least ${minLength} characters. Several words are easy to remember and hard to guess.`,
    },
    confirm: {
      verify_email: {
        title: 'Confirm your e-mail',
        text: 'Press the button to confirm that this address is yours.',
        button: 'Confirm e-mail',
      },
      reset_password: {
        title: 'Choose a new password',
        text: 'With the new password, you will sign in again on all your devices.',
        button: 'Save password',
      },
      change_email: {
        title: 'Confirm your new address',
        text: 'Press the button to sign in with this address from now on. It replaces the old one.',
        button: 'Confirm address',
      },
      undo_deletion: {
        title: 'Keep your account?',
        text: 'Press the button and your account stays, with everything in it.',
        button: 'Keep my account',
      },
    },
    done: {
      verify_email: { title: 'E-mail confirmed', text: ['Thank you! You can close this page and return to the app.'] },
      reset_password: {
        title: 'Password changed',
        text: ['All earlier sessions have ended.', 'Open the app and sign in with the new password.'],
      },
      change_email: {
        title: 'Address changed',
        text: ['From now on, sign in with the new address.', 'You can close this page and return to the app.'],
      },
      undo_deletion: {
        title: 'Your account stays',
        text: ['It is good that you are staying! Open the app and sign in as before.'],
      },
    },
    failed: {
      verify_email: 'If you have confirmed already, all is well. If not, open the app and ask for a new message.',
      reset_password: 'If your password is not changed yet, ask for a new link on the sign-in screen of the app.',
      change_email:
        'If you have confirmed already, sign in with the new address. If not, start the change again in the app.',
      undo_deletion:
        'If you have kept your account already, all is well. If not, open the app and sign in: as long as the data is there, the app offers to keep the account.',
    },
  },
  ru: {
    common: {
      error: 'Ошибка',
      expired: 'Ссылка больше не действует',
      expiredText: 'Её уже использовали, её срок истёк или её заменила более новая.',
      password: 'Новый пароль',
      passwordAgain: 'Новый пароль ещё раз',
      mismatch: 'Пароли не совпадают.',
      passwordHint: (minLength) =>
        `Не короче ${minLength} знаков. Фразу из нескольких слов легко запомнить и трудно подобрать.`,
    },
    confirm: {
      verify_email: {
        title: 'Подтвердите e-mail',
        text: 'Нажмите кнопку, чтобы подтвердить, что этот адрес ваш.',
        button: 'Подтвердить e-mail',
      },
      reset_password: {
        title: 'Задайте новый пароль',
        text: 'С новым паролем нужно будет заново войти на всех устройствах.',
        button: 'Сохранить пароль',
      },
      change_email: {
        title: 'Подтвердите новый адрес',
        text: 'Нажмите кнопку, чтобы входить с этим адресом. Он заменит прежний.',
        button: 'Подтвердить адрес',
      },
      undo_deletion: {
        title: 'Сохранить аккаунт?',
        text: 'Нажмите кнопку, и аккаунт останется со всем, что в нём есть.',
        button: 'Сохранить аккаунт',
      },
    },
    done: {
      verify_email: { title: 'E-mail подтверждён', text: ['Спасибо! Закройте эту страницу и вернитесь в приложение.'] },
      reset_password: {
        title: 'Пароль изменён',
        text: ['Все прежние сеансы завершены.', 'Откройте приложение и войдите с новым паролем.'],
      },
      change_email: {
        title: 'Адрес изменён',
        text: ['Теперь входите с новым адресом.', 'Закройте эту страницу и вернитесь в приложение.'],
      },
      undo_deletion: {
        title: 'Аккаунт остаётся',
        text: ['Хорошо, что вы с нами! Откройте приложение и войдите, как раньше.'],
      },
    },
    failed: {
      verify_email:
        'Если вы уже подтвердили адрес, всё в порядке. Если нет, откройте приложение и запросите новое письмо.',
      reset_password: 'Если пароль ещё не изменён, запросите новую ссылку на экране входа в приложение.',
      change_email:
        'Если вы уже подтвердили адрес, входите с новым. Если нет, начните смену адреса в приложении ещё раз.',
      undo_deletion:
        'Если вы уже сохранили аккаунт, всё в порядке. Если нет, откройте приложение и войдите: пока данные не удалены, оно предложит вернуть аккаунт.',
    },
  },
}
