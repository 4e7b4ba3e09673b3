import { createAuthCalls } from './auth-calls.ts'
import { type Answer, createContract } from './contract.ts'

export interface RequestOptions {
  /** Sent as `Authorization: Bearer …`. */
  token?: string
  /** Sent as JSON. Strings and bytes are sent unchanged. */
  body?: unknown
  headers?: Record<string, string>
}

export interface Response {
  status: number
  headers: Headers
  /** Parsed if it is JSON, otherwise the text. */
  // biome-ignore lint/suspicious/noExplicitAny: every answer is held against the document, which knows its type
  body: any
}

export type Api = ReturnType<typeof createApi>

const SECRET = /^(password|(new|current)_password|(access|refresh|device)_token|token)$/

/** A client over real HTTP that checks every answer against the OpenAPI document of the service (`contract.ts`). */
export function createApi(url: string, document: unknown) {
  const check = createContract(document)
  const secrets = new Set<string>()
  const remember = (key: string, value: unknown) => {
    if (SECRET.test(key) && typeof value === 'string' && value.length >= 12) secrets.add(value)
    return value
  }

  async function request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const { token, body, headers = {} } = options
    const isRaw = typeof body === 'string' || body instanceof Uint8Array
    const payload = body === undefined || isRaw ? body : JSON.stringify(body, remember)
    const response = await fetch(url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(payload !== undefined && { body: payload as string | Uint8Array<ArrayBuffer> }),
    })
    const answer: Answer = { status: response.status, headers: response.headers, text: await response.text() }
    check(method, path, answer)
    const isJson = /json/.test(answer.headers.get('content-type') ?? '') && answer.text !== ''
    return { ...answer, body: isJson ? JSON.parse(answer.text, (key, value) => remember(key, value)) : answer.text }
  }

  return {
    url,
    request,
    ...createAuthCalls(request),
    get: (path: string, options?: RequestOptions) => request('GET', path, options),
    post: (path: string, options?: RequestOptions) => request('POST', path, options),
    put: (path: string, options?: RequestOptions) => request('PUT', path, options),
    patch: (path: string, options?: RequestOptions) => request('PATCH', path, options),
    delete: (path: string, options?: RequestOptions) => request('DELETE', path, options),
    /** For answers to requests that were not sent with `request`. */
    check,
    /** Passwords and tokens that this client has sent or received: none of them may be in the log. */
    secrets,
  }
}
