import assert from 'node:assert/strict'
import type { Static } from 'typebox'
import type { Problem } from '../../src/kernel/http/schemas.ts'
import type { Registered, SignedInUser } from '../../src/modules/auth/auth.schemas.ts'
import type { User } from '../../src/modules/users/users.schemas.ts'

/** The password of every user that a test registers. */
export const PASSWORD = 'a walk along the river'

interface CallOptions {
  token?: string
  headers?: Record<string, string>
}

/** An answer with the body `Success` or a problem, depending on its status. */
export type AnswerOf<A, Success> = Omit<A, 'body'> & { body: Success & Required<Problem> & { delete_after: string } }

/** The email of an account and any other fields; the password is `PASSWORD` by default. */
type Body = { email: string; [more: string]: unknown }

/** The calls that most tests make, for both clients: that of an app in this process and that of server processes. */
export function createAuthCalls<A extends { status: number; body: unknown }>(
  send: (method: string, path: string, options: CallOptions & { body?: unknown }) => Promise<A>,
) {
  const call = <Success>(path: string, body: object, options: CallOptions = {}) =>
    send('POST', `/api/v1/auth${path}`, { ...options, body }) as Promise<unknown> as Promise<AnswerOf<A, Success>>
  return {
    register: (body: Body, options?: CallOptions) =>
      call<Static<typeof Registered>>('/register', { name: 'Анна Каренина', password: PASSWORD, ...body }, options),
    login: (body: Body, options?: CallOptions) =>
      call<{ message: string; user: SignedInUser }>('/login', { password: PASSWORD, ...body }, options),
    refresh: (refresh_token: string, options?: CallOptions) =>
      call<{ message: string; user: SignedInUser }>('/refresh', { refresh_token }, options),
    me: (token: string) => send('GET', '/api/v1/auth/me', { token }) as Promise<unknown> as Promise<AnswerOf<A, User>>,
  }
}

/** Returns the answer if it has the status, and fails with its body otherwise. */
export function requireStatus<A extends { status: number; body: unknown }>(status: number, answer: A): A {
  assert.equal(answer.status, status, JSON.stringify(answer.body))
  return answer
}
