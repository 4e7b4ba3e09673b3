import Type from 'typebox'

export const DeviceToken = Type.String({
  description:
    'Proves that this device has signed in to this account: send it as `X-Device-Token` at the next sign-in, so that ' +
    'nobody else’s attempts keep you waiting. Keep it after signing out',
  examples: ['AZPvQm7Yc1eQp3uT5vWxYzABk_x8cL1nT9uVwXyZaBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789abcdefghi'],
})
