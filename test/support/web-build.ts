import { requireStatus } from './auth-calls.ts'
import type { Api, Response } from './client.ts'

/** A browser with the published web build: its storage and its network. */
export interface Browser {
  storage: { access: string | null; refresh: string | null }
  /** Stored and sent if the page is on the origin of the service; null on another origin. */
  cookies: Map<string, string> | null
  network: string
  userAgent: string
}

export const createBrowser = (more: Partial<Browser> = {}): Browser => ({
  storage: { access: null, refresh: null },
  cookies: null,
  network: '203.0.113.7',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0 Safari/537.36',
  ...more,
})

/**
 * A tab of the published web build: it reads the storage once, when it is opened, and continues with its own copy in
 * memory. A refresh updates both. On a 401 it refreshes once and repeats the call.
 */
export function openTab(api: Api, browser: Browser) {
  const memory = { ...browser.storage }
  let signedOut = false

  async function send(method: string, path: string, body?: unknown): Promise<Response> {
    const { cookies } = browser
    const cookie = [...(cookies ?? [])].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await api.request(method, `/api/v1${path}`, {
      headers: {
        'content-type': 'application/json',
        'user-agent': browser.userAgent,
        'x-app-type': 'web',
        'x-forwarded-for': browser.network,
        ...(cookies
          ? { origin: 'https://api.example.org', 'sec-fetch-site': 'same-origin' }
          : { origin: 'https://app.example.org', 'sec-fetch-site': 'same-site' }),
        ...(cookie && path.startsWith('/auth/') && { cookie }),
        ...(memory.access !== null && { authorization: `Bearer ${memory.access}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    for (const line of cookies ? answer.headers.getSetCookie() : []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies?.set(name, value)
    }
    return answer
  }

  function keep({ body }: Response): void {
    Object.assign(memory, { access: body.user.access_token, refresh: body.user.refresh_token })
    Object.assign(browser.storage, memory)
  }

  return {
    memory,
    /** Whether it has shown the sign-in screen although the person had not signed out. */
    get signedOut() {
      return signedOut
    },
    async login(email: string, password: string): Promise<void> {
      keep(requireStatus(200, await send('POST', '/auth/login', { email, password })))
      signedOut = false
    },
    /** Shows a screen. Returns the reason of the refusal, or null. */
    async act(): Promise<string | null> {
      const first = await send('GET', '/auth/me')
      if (first.status === 200) return null
      if (first.body.action !== 'refresh') return drop(first)
      const refreshed = await send('POST', '/auth/refresh', { refresh_token: memory.refresh })
      if (refreshed.status !== 200) return drop(refreshed)
      keep(refreshed)
      const second = await send('GET', '/auth/me')
      return second.status === 200 ? null : drop(second)
    },
  }

  function drop({ body }: Response): string {
    Object.assign(memory, { access: null, refresh: null })
    Object.assign(browser.storage, memory)
    signedOut = true
    return body.reason
  }
}

export type Tab = ReturnType<typeof openTab>
