import Type from 'typebox'

export const DeviceToken = Type.String({
  description:
    'Proves that this device has signed in to this account. Send it as `X-Device-Token` at the next sign-in, so that ' +
    'failed attempts on other devices do not block this one. Keep it after signing out',
  examples: ['AZPvQm7Yc1eQp3uT5vWxYzABk_x8cL1nT9uVwXyZaBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789abcdefghi'],
})
