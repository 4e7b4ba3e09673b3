import { defineHeaders } from '../../kernel/http/openapi.headers.ts'

export const authHeaders = defineHeaders({
  'X-Device-Token': {
    in: 'request',
    schema: { type: 'string', maxLength: 1024 },
    description:
      'The `device_token` of an earlier sign-in on this device. It proves that the device is known: failed sign-ins on ' +
      'other devices then do not count towards its limit.',
  },
  'Set-Cookie': {
    in: 'response',
    // The cookie of an ended session is removed.
    statuses: [401],
    schema: { type: 'string' },
    description: 'The refresh token, if it is delivered as a cookie; removed on sign-out. HttpOnly, SameSite=Strict.',
    example: 'bukhindor_refresh=…; Max-Age=2592000; Path=/api/v1/auth; HttpOnly; SameSite=Strict',
  },
})
