import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { person } from '../seed.ts'
import type { Bench, Server } from './bench.ts'
import { outputOf } from './machine.ts'
import { call, newcomers, password } from './people.ts'
import { run } from './processes.ts'

const administrator = { identity: 'administrator@bench.example', password }
const users = '/api/collections/users'
export const paths = {
  signUp: `${users}/records`,
  signIn: `${users}/auth-with-password`,
  refresh: `${users}/auth-refresh`,
  one: (id: string) => `${users}/records/${id}`,
  list: (query = '') => `${users}/records?perPage=20${query}`,
}

/** Body of a registration with PocketBase. */
export const registration = ({ email, name }: { email: string; name: string }) => ({
  ...{ email, name, password },
  passwordConfirm: password,
})

/**
 * Builds PocketBase with the Go of this machine and its environment.
 * @returns the program, or null where there is no Go or the modules cannot be fetched
 */
export function buildPocketBase(folder: string): string | null {
  if (!outputOf('go', 'version')) return null
  const program = join(folder, 'pocketbase')
  const cwd = fileURLToPath(new URL('../contenders/pocketbase', import.meta.url))
  const { status } = spawnSync('go', ['build', '-o', program, '.'], { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0 ? program : null
}

/** Starts PocketBase on an empty folder, which it fills when it is first used. */
export async function startPocketBase(bench: Bench, program: string, dir: string): Promise<Server> {
  const { identity, password } = administrator
  await run(program, ['superuser', 'upsert', identity, password, `--dir=${dir}`, '--dev=false'])
  return bench.program(
    program,
    (port) => ['serve', `--http=127.0.0.1:${port}`, `--dir=${dir}`, '--dev=false'],
    '/api/health',
  )
}

/** The token of the administrator. */
export async function administratorOf(server: Server): Promise<string> {
  const path = '/api/collections/_superusers/auth-with-password'
  const { token } = await call(server, json(path, administrator))
  return token
}

/** Sets the bcrypt cost of the users' passwords; PocketBase starts with 10. */
export async function setCost(server: Server, cost: number): Promise<void> {
  const authorization = await administratorOf(server)
  const { fields } = await call(server, { path: '/api/collections/users', headers: { authorization } })
  const changed = fields.map((field: { name: string }) => (field.name === 'password' ? { ...field, cost } : field))
  const request = json('/api/collections/users', { fields: changed }, authorization)
  await call(server, { ...request, method: 'PATCH' })
}

export interface Member {
  id: string
  email: string
  token: string
}

/** Registers people and signs each of them in. */
export async function members(server: Server, count: number): Promise<Member[]> {
  const signedIn: Member[] = []
  for (const person of newcomers(count)) {
    const { id } = await call(server, json(paths.signUp, registration(person)))
    const { token } = await call(server, json(paths.signIn, { identity: person.email, password }))
    signedIn.push({ id, email: person.email, token })
  }
  return signedIn
}

export const json = (path: string, body: object, authorization?: string) => ({
  method: 'POST',
  path,
  headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
  body: JSON.stringify(body),
})

/** Adds people to the database of a stopped PocketBase: the same ones as `seed` adds to the service. */
export function seedPocketBase(dir: string, count: number): void {
  const database = new Database(join(dir, 'data.db'))
  const insert = database.prepare(
    'insert into users (id, email, name, password, tokenKey, created, updated) values (?, ?, ?, ?, ?, ?, ?)',
  )
  database.transaction(() => {
    for (let n = 0; n < count; n++) {
      const { email, name, created_at } = person(n, count)
      const time = created_at.replace('T', ' ')
      const id = `m${String(n).padStart(14, '0')}`
      insert.run(id, email, name, '$2a$10$unusable', randomBytes(25).toString('hex'), time, time)
    }
  })()
  database.exec('analyze')
  database.close()
}
