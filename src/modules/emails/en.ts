import { formats, maskEmail, originFacts } from './format.ts'
import type { Templates } from './templates.ts'

const { time, duration } = formats('en')
const labels = { device: 'Device', ip: 'IP address', time: 'Time' }

export const en: Templates = {
  hello: { before: 'Hi', after: ',', withoutName: 'Hi,' },
  copyLink: { before: 'If the button does not work, open', label: 'this link', after: '.' },
  footer: (brand) => `You receive this message because it concerns your ${brand} account.`,
  templates: {
    verify_email: ({ link, validFor }, brand) => ({
      subject: `${brand}: confirm your e-mail`,
      title: 'Welcome!',
      before: [`Thank you for signing up for ${brand}. Please confirm your e-mail address.`],
      action: { label: 'Confirm e-mail', link },
      after: [
        `The link is valid for ${duration(validFor)}.`,
        'If you did not sign up, ignore this message: someone entered your address, probably by mistake.',
      ],
    }),
    reset_password: ({ link, validFor }, brand) => ({
      subject: `${brand}: reset your password`,
      title: 'Reset your password',
      before: ['A password reset was requested for your account. Use the link below to choose a new password.'],
      action: { label: 'Choose a new password', link },
      after: [
        `The link is valid for ${duration(validFor)} and works once. Do not forward it.`,
        'If you did not request this, ignore this message: your password stays unchanged.',
      ],
    }),
    password_changed: ({ at }, brand) => ({
      subject: `${brand}: your password was changed`,
      title: 'Your password was changed',
      before: [`The password of your account was changed on ${time(at)}. Other devices need to sign in again.`],
      after: [
        'If this was you, you do not need to do anything.',
        'If this was not you, reset your password immediately: choose password recovery on the sign-in screen of the app.',
      ],
    }),
    change_email_confirm: ({ link, validFor }, brand) => ({
      subject: `${brand}: confirm your new address`,
      title: 'Confirm your new address',
      before: [
        `Confirm that you want to use this address to sign in to ${brand}. Until then, your current address stays in use.`,
      ],
      action: { label: 'Confirm address', link },
      after: [
        `The link is valid for ${duration(validFor)}.`,
        'If you did not request this, ignore this message: nothing changes unless you confirm the address.',
      ],
    }),
    change_email_notice: ({ newEmail }, brand) => ({
      subject: `${brand}: a change of your address was requested`,
      title: 'A change of your address was requested',
      before: [
        'A change of the e-mail address of your account was requested. The new address replaces this one once it is confirmed with the link that we sent to it.',
      ],
      facts: [['New address', maskEmail(newEmail)]],
      after: [
        'If this was you, open the message that was sent to the new address.',
        'If this was not you, change your password immediately: someone else knows it.',
      ],
    }),
    email_changed: ({ newEmail, at }, brand) => ({
      subject: `${brand}: your address was changed`,
      title: 'Your address was changed',
      before: [
        'The e-mail address of your account was changed. From now on, use the new address to sign in. Messages about your account are sent to it.',
      ],
      facts: [
        ['New address', maskEmail(newEmail)],
        ['Time', time(at)],
      ],
      after: [
        'If this was you, you do not need to do anything.',
        'If this was not you, someone else knows your password. Open the app on a device where you are still signed in, change your password immediately, and then change the address back.',
      ],
    }),
    new_sign_in: (origin, brand) => ({
      subject: `${brand}: sign-in from a new device`,
      title: 'Sign-in from a new device',
      before: ['Your account was used to sign in on a device that we have not seen before.'],
      facts: originFacts('en', labels, origin, time),
      after: [
        'If this was you, you do not need to do anything.',
        'If this was not you, change your password immediately: this also signs out the other device.',
      ],
    }),
    account_deletion: ({ link, deleteAfter }, brand) => ({
      subject: `${brand}: your account will be deleted`,
      title: 'Your account will be deleted',
      before: [
        `We received a request to delete your account and signed you out on all devices. Your data will be permanently deleted on ${time(deleteAfter)}.`,
        'If you change your mind, you can keep your account until then.',
      ],
      action: { label: 'Keep my account', link },
      after: [
        'If you did not request this, keep your account and change your password immediately: someone else knows it.',
      ],
    }),
    account_deleted: (_, brand) => ({
      subject: `${brand}: your account has been deleted`,
      title: 'Your account has been deleted',
      before: [
        'Your account and its data have been permanently deleted.',
        `Thank you for using ${brand}. You can sign up again at any time.`,
      ],
      after: [],
    }),
    session_ended_reuse: (origin, brand) => ({
      subject: `${brand}: a session was ended for your security`,
      title: 'We signed you out on one device',
      before: [
        'An old sign-in token was used again. This can mean that the token was copied, so we ended that session. Your other sessions are not affected.',
      ],
      facts: originFacts('en', labels, origin, time),
      after: [
        'Sign in again, change your password, and end the sessions that you do not recognize.',
        'If you do not recognize the device above, check your own devices for malware.',
      ],
    }),
  },
}
