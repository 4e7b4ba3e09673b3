import { formats, maskEmail, originFacts } from './format.ts'
import type { Templates } from './templates.ts'

const { time, duration } = formats('en')
const labels = { device: 'Device', ip: 'IP address', time: 'Time' }

export const en: Templates = {
  hello: { before: 'Hi', after: ',', withoutName: 'Hi,' },
  copyLink: 'If the button does not work, open this address in your browser:',
  footer: (brand) => `This message was sent automatically because it concerns your ${brand} account.`,
  templates: {
    verify_email: ({ link, validFor }, brand) => ({
      subject: `${brand}: confirm your e-mail`,
      title: 'Welcome!',
      before: [`Thank you for signing up for ${brand}. Please confirm that this address is yours.`],
      action: { label: 'Confirm e-mail', link },
      after: [
        `The link works for ${duration(validFor)}.`,
        'If you did not sign up, ignore this message: somebody entered your address, perhaps by mistake.',
      ],
    }),
    reset_password: ({ link, validFor }, brand) => ({
      subject: `${brand}: reset your password`,
      title: 'Reset your password',
      before: ['A password reset was requested for your account. Press the button to choose a new one.'],
      action: { label: 'Choose a new password', link },
      after: [
        `The link works once, for ${duration(validFor)}. Do not forward it to anybody.`,
        'If you did not ask for this, ignore this message: your password stays as it is.',
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
      before: [
        `Confirm that you want to sign in to ${brand} with this address. Until then, your current address stays in use.`,
      ],
      action: { label: 'Confirm address', link },
      after: [
        `The link works for ${duration(validFor)}.`,
        'If you did not ask for this, ignore this message: nothing changes unless you press the button.',
      ],
    }),
    change_email_notice: ({ newEmail }, brand) => ({
      subject: `${brand}: a change of address was requested`,
      title: 'A change of address was requested',
      before: [
        'Somebody asked to change the address of your account. The new address replaces this one once it is confirmed by the link that was sent to it.',
      ],
      facts: [['New address', maskEmail(newEmail)]],
      after: [
        'If this was you, open the message that was sent to the new address.',
        'If not, change your password at once: somebody else knows it.',
      ],
    }),
    email_changed: ({ newEmail, at }, brand) => ({
      subject: `${brand}: your address was changed`,
      title: 'Your address was changed',
      before: ['The address of your account was changed. Messages about the account now go to the new address.'],
      facts: [
        ['New address', maskEmail(newEmail)],
        ['Time', time(at)],
      ],
      after: [
        'If this was you, there is nothing to do.',
        `If not, contact ${brand} support as soon as you can: this address can no longer be used to sign in.`,
      ],
    }),
    new_sign_in: (origin, brand) => ({
      subject: `${brand}: sign-in from a new device`,
      title: 'Sign-in from a new device',
      before: ['Your account was used to sign in on a device that we have not seen before.'],
      facts: originFacts('en', labels, origin, time),
      after: [
        'If this was you, there is nothing to do.',
        'If not, change your password at once: this also signs out the other device.',
      ],
    }),
    account_deletion: ({ link, deleteAfter }, brand) => ({
      subject: `${brand}: your account will be deleted`,
      title: 'Your account will be deleted',
      before: [
        `We were asked to delete your account, and you have been signed out everywhere. Your data will be permanently deleted on ${time(deleteAfter)}.`,
        'If you change your mind, you can keep your account until then.',
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
        'Your account and its data have been permanently deleted.',
        'Thank you for having been with us. You are welcome to sign up again at any time.',
      ],
      after: [`If you did not ask for this, contact ${brand} support.`],
    }),
    session_ended_reuse: (origin, brand) => ({
      subject: `${brand}: a session was ended for your safety`,
      title: 'We signed you out on one device',
      before: [
        'An old sign-in token was used again. This can mean that the token was copied, so we ended that session. Your other sessions are not affected.',
      ],
      facts: originFacts('en', labels, origin, time),
      after: [
        'Sign in again, change your password, and end the sessions that you do not recognise.',
        'If you do not recognise the device, check your own devices for malware.',
      ],
    }),
  },
}
