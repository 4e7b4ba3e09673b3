import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { PASSWORD } from './auth-calls.ts'

const ENTRY = fileURLToPath(import.meta.resolve('../../bin/bukhindor.js'))

export const ADMINISTRATOR = { email: 'admin@example.org', password: PASSWORD }

/** Creates an administrator with the command line, for a server with the settings `env`, running or not. */
export async function createAdministrator(env: Record<string, string>, { email, password } = ADMINISTRATOR) {
  const child = spawn(
    process.execPath,
    [ENTRY, 'user', 'create', '--email', email, '--name', 'Administrator', '--role', 'admin', '--password-stdin'],
    { env: { PATH: process.env.PATH, NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE, ...env } },
  )
  child.stdin.end(`${password}\n`)
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  assert.equal(code, 0, said)
}
