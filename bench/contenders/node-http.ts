// The floor of any Node.js server: the same status, headers and bytes for every request, nothing read, nothing done.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

/** `ANSWER` is a file with what was captured: `{status, headers: [name, value, …], body}`. */
const { status, headers, body } = JSON.parse(readFileSync(process.env.ANSWER as string, 'utf8'))
createServer((_request, response) => {
  response.writeHead(status, headers).end(body)
}).listen(Number(process.env.PORT), '127.0.0.1')
