import { randomBytes } from 'node:crypto'
import type { Server } from './bench.ts'
import type { Request } from './load.ts'

export const password = 'Regen-Klavier-Mond-17'

let addresses = 0

/** Headers of a JSON request that comes from an address nobody has used before. */
export function fromSomewhere(): Record<string, string> {
  const n = ++addresses
  return { 'content-type': 'application/json', 'x-forwarded-for': `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}` }
}

/** A POST of JSON from an address of its own. */
export const post = (path: string, body: object): Request => ({
  method: 'POST',
  path,
  headers: fromSomewhere(),
  body: JSON.stringify(body),
})

/** Sends one request and gives back its JSON. Throws on anything but 2xx, with the answer. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the server answers
export async function call(server: Server, { method = 'GET', path, headers, body }: Request): Promise<any> {
  const answer = await fetch(`${server.url}${path}`, { method, headers, body })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`)
  return JSON.parse(text)
}

/** Bodies for as many registrations, none of whose addresses was used before. */
export function newcomers(count: number) {
  const run = randomBytes(4).toString('hex')
  return Array.from({ length: count }, (_, index) => ({
    email: `${run}.${index}@example.com`,
    name: index % 2 ? 'Анна Соколова' : 'Henry Walker',
    password,
  }))
}

export interface Account {
  email: string
  authorization: string
  refreshToken: string
}

/** Registers people and signs each of them in. */
export async function signUp(server: Server, count: number): Promise<Account[]> {
  const accounts: Account[] = []
  const left = newcomers(count)
  const worker = async () => {
    for (let person = left.pop(); person; person = left.pop()) {
      await call(server, post('/api/v1/auth/register', person))
      const credentials = { email: person.email, password }
      const { user } = await call(server, post('/api/v1/auth/login', credentials))
      accounts.push({
        email: person.email,
        authorization: `Bearer ${user.access_token}`,
        refreshToken: user.refresh_token,
      })
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return accounts
}
