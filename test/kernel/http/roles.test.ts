import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { Access } from '../../../src/kernel/http/openapi.ts'
import { createAdmin, PASSWORD, register, signIn, useApp } from '../../support/app.ts'

/** What a route answers to those whom it lets in. */
interface Row {
  who: Access
  status: number
  /** To a person who asks for something of another's that only its owner can see. */
  foreign?: number
  body?: (person: { email: string; refresh_token: string }) => object
}

const is = (who: Access, status: number, body?: object): Row => ({ who, status, ...(body && { body: () => body }) })
const NEW_PASSWORD = 'another walk in the rain'

let others = 0

/** Every route of the document. One that is added without a row here fails. */
const TABLE: Record<string, Row> = {
  'GET /health': is('public', 200),
  'GET /api/health': is('public', 200),
  'GET /health/live': is('public', 200),
  'GET /health/ready': is('public', 200),
  'GET /.well-known/jwks.json': is('public', 200),
  'POST /api/v1/auth/register': is('public', 400, {}),
  'POST /api/v1/auth/login': { ...is('public', 200), body: ({ email }) => ({ email, password: PASSWORD }) },
  'POST /api/v1/auth/refresh': is('public', 401, { refresh_token: 'unknown' }),
  'POST /api/v1/auth/reset-password': { ...is('public', 200), body: () => ({ email: `${++others}@example.org` }) },
  'POST /api/v1/auth/reset-password/confirm': is('public', 400, { token: 'unknown', new_password: NEW_PASSWORD }),
  'POST /api/v1/auth/verify-email': is('public', 400, { token: 'unknown' }),
  'POST /api/v1/auth/change-email/confirm': is('public', 400, { token: 'unknown' }),
  'POST /api/v1/auth/undo-deletion': is('public', 400, { token: 'unknown' }),
  'POST /api/v1/auth/logout': is('signed in', 200),
  'POST /api/v1/auth/logout-all': is('signed in', 200),
  'GET /api/v1/auth/me': is('signed in', 200),
  'PATCH /api/v1/auth/me': is('signed in', 200, { name: 'Renamed' }),
  'DELETE /api/v1/auth/me': is('signed in', 200, { password: PASSWORD }),
  'GET /api/v1/auth/me/export': is('signed in', 200),
  'POST /api/v1/auth/change-password': is('signed in', 200, {
    current_password: PASSWORD,
    new_password: NEW_PASSWORD,
  }),
  'POST /api/v1/auth/verify-email/resend': is('signed in', 200),
  'POST /api/v1/auth/change-email': {
    ...is('signed in', 200),
    body: ({ email }) => ({ new_email: `new-${email}`, password: PASSWORD }),
  },
  'GET /api/v1/auth/sessions': is('signed in', 200),
  'DELETE /api/v1/auth/sessions/{id}': { ...is('signed in', 200), foreign: 404 },
  'GET /api/v1/users/{id}': is('admin or self', 200),
  'PUT /api/v1/users/{id}': is('admin or self', 200, { name: 'Renamed' }),
  'PATCH /api/v1/users/{id}': is('admin or self', 200, { name: 'Renamed' }),
  'GET /api/v1/users': is('admin', 200),
  'POST /api/v1/users': { ...is('admin', 201), body: ({ email }) => ({ email: `made-${email}`, name: 'Made' }) },
  'DELETE /api/v1/users/{id}': is('admin', 200),
  'GET /api/v1/users/{id}/sessions': is('admin', 200),
  'DELETE /api/v1/users/{id}/sessions': is('admin', 200),
  'DELETE /api/v1/users/{id}/sessions/{sid}': is('admin', 200),
  'POST /api/v1/users/{id}/reset-password': is('admin', 200),
  'GET /api/v1/audit-events': is('admin', 200),
}

const CALLERS = ['nobody', 'the user', 'another user', 'an administrator', 'deactivated', 'session ended'] as const
type Caller = (typeof CALLERS)[number]

/** One cell of the table: the status, and the reason where nobody is let in. */
function expected({ who, status, foreign }: Row, caller: Caller): [number, string?] {
  if (who === 'public') return [status]
  if (caller === 'nobody') return [401, 'token_missing']
  if (caller === 'deactivated' || caller === 'session ended') return [401, 'session_ended']
  if (caller === 'the user') return who === 'admin' ? [403, 'forbidden'] : [status]
  if (who === 'signed in') return foreign ? [foreign] : [status]
  return caller === 'an administrator' ? [status] : [403, 'forbidden']
}

describe('Every route against every role', () => {
  const app = useApp('sqlite')

  const person = async () => signIn(app.api, await register(app.api))
  const admin = async () => signIn(app.api, await createAdmin(app.services))
  /** Whom a request that is refused is about: it changes nothing, so one is enough. */
  let untouched: Awaited<ReturnType<typeof person>>
  /** They were administrators, so that nothing but that they are out can keep them out. */
  const out: Partial<Record<Caller, string>> = {}
  before(async () => {
    await createAdmin(app.services) // So that no other is the last one.
    untouched = await person()
    const [deactivated, ended] = [await admin(), await admin()]
    await app.services.operator.update(deactivated.email, { is_active: false })
    await app.api.post('/api/v1/auth/logout', { token: ended.access_token })
    Object.assign(out, { deactivated: deactivated.access_token, 'session ended': ended.access_token })
  })
  const tokenOf = async (caller: Caller, owner: { access_token: string }): Promise<string | undefined> => {
    if (caller === 'the user') return owner.access_token
    if (caller === 'another user') return (await person()).access_token
    return caller === 'an administrator' ? (await admin()).access_token : out[caller]
  }

  for (const [route, row] of Object.entries(TABLE))
    test(`${route} is for ${row.who}`, async () => {
      const [method, template] = route.split(' ') as [string, string]
      for (const caller of CALLERS) {
        const [status, reason] = expected(row, caller)
        const owner = reason || row.who === 'public' ? untouched : await person()
        const token = await tokenOf(caller, owner)
        const id = template.includes('/auth/sessions/') ? owner.session_id : owner.id
        const path = template.replace('{id}', id).replace('{sid}', owner.session_id)
        const answer = await app.api.request(method, path, {
          ...(token !== undefined && { token }),
          ...(row.body && { body: row.body(owner) }),
        })
        const what = `${caller}: ${JSON.stringify(answer.body)}`
        assert.deepEqual([answer.status, reason && answer.body.reason], [status, reason], what)
      }
    })

  test('the table has exactly the routes of the document, each with the same access', () => {
    const paths = app.app.swagger().paths as Record<string, Record<string, { security: object[] }>>
    const documented = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { security }]) => [
        `${method.toUpperCase()} ${path}`,
        security.some((scheme) => 'bearer' in scheme) ? 'token' : 'public',
      ]),
    )
    const listed = Object.entries(TABLE).map(([route, { who }]) => [route, who === 'public' ? 'public' : 'token'])
    assert.deepEqual(Object.fromEntries(documented), Object.fromEntries(listed))
  })
})
