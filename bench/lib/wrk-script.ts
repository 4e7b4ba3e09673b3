import type { Plan, Request } from './load.ts'

const quote = (text: string) => `"${Array.from(Buffer.from(text), escapeByte).join('')}"`

/** Lua reads three-digit decimal escapes: every byte that is not plainly printable is written so. */
function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte)
  return /[\w {}:/.,?=&+%@-]/.test(character) ? character : `\\${String(byte).padStart(3, '0')}`
}

/** The Lua expression of one request's bytes; `body` is itself Lua. */
const format = (request: Request, body: string): string =>
  `wrk.format("${request.method ?? 'GET'}", ${quote(request.path)}, ${headersOf(request)}, ${body})`

function headersOf({ headers = {} }: Request): string {
  const pairs = Object.entries(headers).map(([name, value]) => `[${quote(name)}]=${quote(value)}`)
  return `{${pairs.join(', ')}}`
}

const inAdvance = (requests: Request[]) => `
function init()
${requests.map((request) => `  ready[#ready + 1] = ${format(request, request.body === undefined ? 'nil' : quote(request.body))}`).join('\n')}
end`

// Without a `request` function wrk makes the bytes once and never enters Lua while it measures.
function constant({ method = 'GET', path, headers = {}, body }: Request): string {
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${quote(name)}] = ${quote(value)}`)
  if (body !== undefined) lines.push(`wrk.body = ${quote(body)}`)
  return [`wrk.method, wrk.path = "${method}", ${quote(path)}`, ...lines].join('\n')
}

// Formatted in `init`, where wrk knows the host, so that a request costs one look into a table.
const inTurn = (requests: Request[]) => `
local ready, turn = {}, 0
${inAdvance(requests)}
function request()
  turn = turn % #ready + 1
  return ready[turn]
end`

// A queue: answers add at its end, requests take from its front.
// Each request has the headers of a first one in turn, so that the clients keep their different addresses.
const chained = (requests: Request[], { method = 'GET', path }: Request, member: string) => `
local ready, first, last = {}, 1, ${requests.length}
local headers = {${requests.map((request) => headersOf(request)).join(', ')}}
${inAdvance(requests)}
function request()
  local next = ready[first]
  if first < last then
    ready[first] = nil
    first = first + 1
  end
  return next
end
function response(_, _, body)
  local value = string.match(body, '"${member}":"([^"]+)"')
  if value then
    last = last + 1
    ready[last] = wrk.format("${method}", ${quote(path)}, headers[(last - 1) % #headers + 1], '{"${member}":"' .. value .. '"}')
  end
end`

/** The Lua script by which wrk sends a plan's requests and prints its result as one line of JSON. */
export function wrkScript({ requests, chain }: Plan): string {
  const [first] = requests
  if (!first) throw new Error('a plan needs at least one request')
  return `
${chain ? chained(requests, first, chain) : requests.length === 1 ? constant(first) : inTurn(requests)}
function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests":%d,"perSecond":%.2f,"p50":%.3f,"p95":%.3f,"p99":%.3f,"errors":%d}\\n',
    summary.requests, summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
`
}
