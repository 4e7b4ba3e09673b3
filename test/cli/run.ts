import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach } from 'node:test'
import { fileURLToPath } from 'node:url'

export const ENTRY = fileURLToPath(import.meta.resolve('../../bin/bukhindor.js'))

let root: string
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'bukhindor-cli-'))
})
after(() => rm(root, { recursive: true, force: true }))

/** The data folder of the running test. */
export let folder: string
let count = 0
beforeEach(async () => {
  folder = join(root, String(++count))
  await mkdir(folder)
})

interface Options {
  env?: Record<string, string>
  stdin?: string
}

/** Runs a command line as a shell would, in its own data folder. Fails if the output has a stack trace. */
export async function run(args: string[], { env = {}, stdin = '' }: Options = {}) {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd: folder,
    timeout: 30_000,
    env: {
      PATH: process.env.PATH,
      NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE,
      DATA_DIR: folder,
      LOG_FORMAT: 'json',
      ...env,
    },
  })
  child.stdin.end(stdin)
  const [out, err, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ])
  assert.doesNotMatch(out + err, /^\s+at .+:\d+:\d+\)?$/m, 'no stack trace')
  return { status, out, err }
}

/** A valid `APP_SECRET`. */
export const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ'
