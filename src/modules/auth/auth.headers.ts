import { defineHeaders } from '../../kernel/http/openapi.headers.ts'

export const authHeaders = defineHeaders({
  'X-Device-Token': {
    in: 'request',
    schema: { type: 'string', maxLength: 1024 },
    description:
      'The `device_token` of an earlier sign-in on this device. It proves that the device is known: its own login ' +
      'attempts are then not limited by those of strangers.',
  },
  'Set-Cookie': {
    in: 'response',
    // A session that is over takes its cookie along.
    statuses: [401],
    schema: { type: 'string' },
    description:
      'The refresh token, where it travels as a cookie; on signing out, its removal. HttpOnly, SameSite=Strict.',
    example: 'bukhindor_refresh=…; Max-Age=2592000; Path=/api/v1/auth; HttpOnly; SameSite=Strict',
  },
})
