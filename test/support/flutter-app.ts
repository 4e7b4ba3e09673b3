import assert from 'node:assert/strict'
import type { Api, Response } from './client.ts'

/** The storage of the token pair on the device. */
export interface Storage {
  access: string | null
  refresh: string | null
}

/** The app was killed or lost its network before the answer arrived. */
export class Lost extends Error {}

const RETRIED = new Set([408, 429, 500, 502, 503, 504])

/**
 * The published client. Isolates and tabs are apps that share a storage.
 * `network` may throw `Lost` after the server has answered.
 */
export function createFlutterApp(api: Api, storage: Storage, network: (path: string) => void = () => {}) {
  const device = {
    'x-app-version': '1.4.2',
    'x-app-type': 'android',
    'x-device-id': '7f9c-pixel',
    'user-agent': 'Dart/3.9 (dart:io)',
  }

  async function send(method: string, path: string, data?: unknown, attempt = 0): Promise<Response> {
    const answer = await api.request(method, `/api/v1${path}`, {
      headers: {
        'content-type': 'application/json',
        'accept-language': 'ru',
        ...device,
        ...(storage.access !== null && { authorization: `Bearer ${storage.access}` }),
      },
      ...(data !== undefined && { body: JSON.stringify(data) }),
    })
    network(path)
    return RETRIED.has(answer.status) && attempt < 3 ? send(method, path, data, attempt + 1) : answer
  }

  /** On a 401 refreshes once and repeats the call. Throws what the app would show to the person. */
  async function call(method: string, path: string, data?: unknown): Promise<Response['body']> {
    let answer = await send(method, path, data)
    if (answer.status === 401 && answer.body.action === 'refresh') {
      await refresh()
      answer = await send(method, path, data)
    }
    if (answer.status >= 400) throw shown(answer)
    return answer.body
  }

  function shown({ body }: Response): Error {
    if (body.action === 'reauthenticate') Object.assign(storage, { access: null, refresh: null })
    return new Error(string(body, 'error'), { cause: integer(body, 'code') })
  }

  async function refresh(): Promise<void> {
    const answer = await send('POST', '/auth/refresh', { refresh_token: storage.refresh })
    if (answer.status >= 400) throw shown(answer)
    store(answer.body)
  }

  function store(body: Record<string, unknown>): UserModel {
    string(body, 'message')
    const json = body.user as Record<string, unknown>
    const user = userModel(json)
    for (const name of ['token_type', 'session_id']) string(json, name)
    for (const name of ['expires_in', 'refresh_expires_in']) integer(json, name)
    time(json, 'server_time')
    Object.assign(storage, { access: string(json, 'access_token'), refresh: string(json, 'refresh_token') })
    return user
  }

  return {
    storage,
    refresh,
    async register(name: string, email: string, password: string): Promise<UserModel> {
      const body = await call('POST', '/auth/register', { name, email, password })
      string(body, 'message')
      return userModel(body.user)
    },
    login: async (email: string, password: string) => store(await call('POST', '/auth/login', { email, password })),
    me: async (): Promise<UserModel> => userModel(await call('GET', '/auth/me')),
    /** The profile screen: unchanged fields are sent as null. */
    updateProfile: async (id: string, changes: { name?: string; locale?: string }): Promise<UserModel> =>
      userModel(
        await call('PUT', `/users/${id}`, { name: null, email: null, is_active: null, role: null, ...changes }),
      ),
    async users(query: string) {
      const body = await call('GET', `/users?${query}`)
      for (const name of ['total', 'page', 'limit']) integer(body, name)
      return { ...body, users: (body.users as Record<string, unknown>[]).map(userModel) }
    },
    deleteUser: async (id: string): Promise<string> => string(await call('DELETE', `/users/${id}`), 'message'),
    async logout(): Promise<void> {
      string(await call('POST', '/auth/logout'), 'message')
      Object.assign(storage, { access: null, refresh: null })
    },
  }
}

export interface UserModel {
  id: string
  email: string
  name: string
  role: string
  isActive: boolean
  locale: string
  lastLoginAt: Date | null
}

type Json = Record<string, unknown>

/** Strict like `fromJson`: a missing or wrongly typed field crashes the screen. */
const userModel = (json: Json): UserModel => {
  time(json, 'created_at')
  time(json, 'updated_at')
  boolean(json, 'email_verified')
  return {
    id: string(json, 'id'),
    email: string(json, 'email'),
    name: string(json, 'name'),
    role: string(json, 'role'),
    isActive: boolean(json, 'is_active'),
    locale: string(json, 'locale'),
    lastLoginAt: json.last_login_at === null ? null : time(json, 'last_login_at'),
  }
}

function string(json: Json, name: string): string {
  assert.equal(typeof json[name], 'string', name)
  return json[name] as string
}
function boolean(json: Json, name: string): boolean {
  assert.equal(typeof json[name], 'boolean', name)
  return json[name] as boolean
}
function integer(json: Json, name: string): number {
  assert.ok(Number.isInteger(json[name]), name)
  return json[name] as number
}
/** As `DateTime.parse` reads it, and in UTC. */
function time(json: Json, name: string): Date {
  assert.match(string(json, name), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, name)
  return new Date(json[name] as string)
}
