import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { parseRaw } from './raw.ts'

const CONTINUE = /^HTTP\/1\.1 100 Continue\r\n\r\n/

/** A request whose headers have been sent, but not its whole body. */
export interface HeldRequest {
  /** The answer, which may come before the body has been sent. */
  answer: Promise<ReturnType<typeof parseRaw>>
  /** Sends the rest of the body. Returns the answer. */
  finish(): Promise<ReturnType<typeof parseRaw>>
  /** Closes the connection without sending more. */
  abandon(): void
}

/**
 * Sends a request as far as the last byte of its body. With the header `Expect: 100-continue` it first waits until the
 * server asks for the body: it is then at work on the request.
 */
export async function holdRequest(
  url: string,
  method: string,
  path: string,
  { headers = {}, body = {} }: { headers?: Record<string, string>; body?: unknown } = {},
): Promise<HeldRequest> {
  const { hostname, port } = new URL(url)
  const payload = Buffer.from(JSON.stringify(body))
  const lines = Object.entries({
    host: hostname,
    'content-type': 'application/json',
    'content-length': String(payload.length),
    connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  const socket = await new Promise<Socket>((resolve, reject) => {
    const opening = connect(Number(port), hostname, () => resolve(opening)).once('error', reject)
  })
  let text = ''
  const answer = new Promise<ReturnType<typeof parseRaw>>((resolve) =>
    socket.once('close', () => resolve(parseRaw(text.replace(CONTINUE, '')))),
  )
  socket.on('error', () => {}) // A server that refuses closes the connection: what it answered before counts.
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  if (headers.expect) await once(socket, 'data')
  socket.write(payload.subarray(0, -1))
  return {
    answer,
    finish() {
      socket.write(payload.subarray(-1))
      return answer
    },
    abandon: () => socket.destroy(),
  }
}
