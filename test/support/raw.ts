import { connect } from 'node:net'

/** Sends raw bytes and returns what the server answers until it closes the connection. */
export function sendRaw(url: string, ...parts: (string | Buffer)[]): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => {
      for (const part of parts) socket.write(part)
    })
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text
    })
    // A server that closes while it is being written to causes a reset: what arrived before counts.
    socket.on('error', (error) => (answer ? resolve(answer) : reject(error)))
    socket.on('close', () => resolve(answer))
  })
}

/** Parses a raw answer into the form that `contract.ts` checks. */
export function parseRaw(text: string): { status: number; headers: Headers; text: string } {
  const end = text.indexOf('\r\n\r\n')
  const [line = '', ...fields] = text.slice(0, end).split('\r\n')
  const headers = new Headers(
    fields.map((field): [string, string] => [field.split(': ', 1)[0] ?? '', field.slice(field.indexOf(': ') + 2)]),
  )
  return { status: Number(line.split(' ')[1]), headers, text: text.slice(end + 4) }
}
