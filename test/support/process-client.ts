import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { createAuthCalls, PASSWORD, requireStatus } from './auth-calls.ts'

export interface Answer {
  /** 0 if there was no answer. */
  status: number
  headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: bodies of several shapes are read
  body: any
  /** From sending to the last byte, in ms. */
  ms: number
}

export interface SendOptions {
  body?: unknown
  token?: string
  headers?: Record<string, string>
}

export type Client = ReturnType<typeof createClient>

let callers = 0
/** Returns an unused client address, so that callers do not share the limits of an address. */
export const newAddress = (): string => {
  const n = ++callers
  return `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`
}

export { PASSWORD }

/** A client of the service at `url` with up to `sockets` connections. Instead of throwing it gives status 0. */
export function createClient(url: string, { sockets = 64, timeout = 30_000, keepAlive = true } = {}) {
  const agent = new Agent({ keepAlive, maxSockets: sockets })

  function send(method: string, path: string, { body, token, headers }: SendOptions = {}): Promise<Answer> {
    const began = performance.now()
    const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    return new Promise((resolve) => {
      const answer = (status: number, headers: IncomingHttpHeaders, body: unknown) =>
        resolve({ status, headers, body, ms: performance.now() - began })
      const call = request(
        url + path,
        {
          method,
          agent,
          timeout,
          headers: {
            'x-forwarded-for': newAddress(),
            ...(payload !== undefined && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(payload),
            }),
            ...(token && { authorization: `Bearer ${token}` }),
            ...headers,
          },
        },
        (response) =>
          text(response).then(
            (content) => answer(response.statusCode ?? 0, response.headers, parse(content)),
            () => answer(0, {}, null),
          ),
      )
      call.on('timeout', () => call.destroy())
      call.on('error', (error) => answer(0, {}, error.message))
      call.end(payload)
    })
  }

  return {
    url,
    send,
    get: (path: string, options?: SendOptions) => send('GET', path, options),
    post: (path: string, options?: SendOptions) => send('POST', path, options),
    ...createAuthCalls(send),
    rename: (token: string, name: string) => send('PATCH', '/api/v1/auth/me', { token, body: { name } }),
    close: () => agent.destroy(),
  }
}

function parse(content: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    return content
  }
}

/** Registers a user and signs in. Throws if either fails. */
export async function signUp(client: Client, email: string) {
  requireStatus(201, await client.register({ email }))
  return requireStatus(200, await client.login({ email })).body.user
}

/** Counts the answers by status, as `200 × 12, 503 × 3`. */
export function tally(answers: { status: number }[]): string {
  const counts = new Map<number, number>()
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status || 'none'} × ${count}`)
    .join(', ')
}

/** The quantile of the values, such as the median for 0.5. */
export function quantile(values: number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}
