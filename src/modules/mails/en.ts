import { formats, maskEmail, originFacts } from './format.ts'
import type { Letters } from './letters.ts'

const { time, duration } = formats('en')
const labels = { device: 'Device', app: 'App', ip: 'IP address', time: 'Time' }

export const en: Letters = {
  hello: 'Hello',
  copyLink: 'If the button does not work, open this address in your browser:',
  footer: (brand) => `This message was sent automatically because it concerns your ${brand} account.`,
  letters: {
    verify_email: ({ link, validFor }, brand) => ({
      subject: `${brand}: confirm your e-mail`,
      title: 'Welcome!',
      before: [`It is good to have you at ${brand}. One step is left: confirm that this address is yours.`],
      action: { label: 'Confirm e-mail', link },
      after: [
        `The link works for ${duration(validFor)}.`,
        'If you did not sign up, do not press the button: somebody entered your address, perhaps by mistake.',
      ],
    }),
    reset_password: ({ link, validFor }, brand) => ({
      subject: `${brand}: reset your password`,
      title: 'Reset your password',
      before: ['A password reset was requested for your account. Press the button to choose a new one.'],
      action: { label: 'Choose a new password', link },
      after: [
        `The link works once, for ${duration(validFor)}. Do not forward it to anybody.`,
        'If you did not ask for this, there is nothing to do: your password stays as it is.',
      ],
    }),
    password_changed: ({ at }, brand) => ({
      subject: `${brand}: your password was changed`,
      title: 'Your password was changed',
      before: [`The password of your account was changed on ${time(at)}. Other devices need to sign in again.`],
      after: [
        'If this was you, there is nothing to do.',
        'If not, reset your password at once: choose password recovery on the sign-in screen.',
      ],
    }),
    change_email_confirm: ({ link, validFor }, brand) => ({
      subject: `${brand}: confirm your new address`,
      title: 'Your new address',
      before: [`Confirm that you want to sign in to ${brand} with this address. Until then the old one stays.`],
      action: { label: 'Confirm address', link },
      after: [
        `The link works for ${duration(validFor)}.`,
        'If you did not ask for this, do not press the button: nothing changes without it.',
      ],
    }),
    change_email_notice: ({ newEmail }, brand) => ({
      subject: `${brand}: a change of address was requested`,
      title: 'A change of address was requested',
      before: [
        `A new address was requested for your account: ${maskEmail(newEmail)}. It replaces this one as soon as it is confirmed by the link sent to it.`,
      ],
      after: [
        'If this was you, open the message that was sent to the new address.',
        'If not, change your password at once: somebody else knows it.',
      ],
    }),
    email_changed: ({ newEmail, at }, brand) => ({
      subject: `${brand}: your address was changed`,
      title: 'Your address was changed',
      before: [
        `The address of your account was changed on ${time(at)} to ${maskEmail(newEmail)}. Messages about the account now go there.`,
      ],
      after: [
        'If this was you, there is nothing to do.',
        `If not, contact ${brand} support as soon as you can: this address can no longer be used to sign in.`,
      ],
    }),
    new_sign_in: (origin, brand) => ({
      subject: `${brand}: sign-in from a new device`,
      title: 'Sign-in from a new device',
      before: ['Somebody signed in to your account from a device that we have not seen before.'],
      facts: originFacts(labels, origin, time),
      after: [
        'If this was you, there is nothing to do.',
        'If not, change your password at once: that ends the stranger’s session as well.',
      ],
    }),
    account_deletion: ({ link, deleteAfter }, brand) => ({
      subject: `${brand}: your account will be deleted`,
      title: 'Your account will be deleted',
      before: [
        `We were asked to delete your account, and have ended all its sessions. Your data goes for good on ${time(deleteAfter)}.`,
        'Changed your mind? Until then you can have everything back.',
      ],
      action: { label: 'Keep my account', link },
      after: [
        'If you did not ask for this, keep the account and change your password at once: somebody else knows it.',
      ],
    }),
    account_deleted: (_, brand) => ({
      subject: `${brand}: your account is deleted`,
      title: 'Your account is deleted',
      before: [
        'Your account is deleted and cannot be restored.',
        'Thank you for having been with us. If you would like to come back, you are welcome to sign up at any time.',
      ],
      after: [`If you did not ask for this, contact ${brand} support.`],
    }),
    session_ended_reuse: (origin, brand) => ({
      subject: `${brand}: a session was ended for your safety`,
      title: 'We ended one of your sessions',
      before: [
        'Somebody used an outdated key of your session. That happens when a key was stolen and copied, so we ended that session. Your other sessions go on.',
      ],
      facts: originFacts(labels, origin, time),
      after: [
        'Sign in again, change your password, and look through your sessions: end those that you do not know.',
        'If you do not recognise the device, check your own devices for malware too.',
      ],
    }),
  },
}
