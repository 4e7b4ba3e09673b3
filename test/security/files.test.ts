import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createClient } from '../support/process-client.ts'
import { startServer } from '../support/processes.ts'

const root = mkdtempSync(join(tmpdir(), 'bukhindor-files-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Everything below a folder, the folder itself included. */
const everything = (folder: string): string[] => [
  folder,
  ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
]
const modeOf = (file: string): number => statSync(file).mode & 0o777
const cache = `bukhindor-${process.getuid?.() ?? 'cache'}`

describe('The files of the service', { skip: process.platform === 'win32' }, () => {
  test('are readable by the owner only: secret, database, emails and folders', async () => {
    const folder = join(root, 'not', 'there', 'yet')
    const server = await startServer({ DATA_DIR: folder, TMPDIR: root })
    const client = createClient(server.url)
    assert.equal((await client.register({ email: 'anna@example.org' })).status, 201)
    client.close()
    await server.stop() // the mail has been written by then
    const files = everything(folder)
    assert.deepEqual(
      readdirSync(folder).filter((name) => !name.startsWith('bukhindor.db-')),
      ['bukhindor.db', 'mail', 'secret.key'],
    )
    assert.ok(files.some((file) => file.endsWith('.eml')))
    for (const file of files) assert.equal(modeOf(file) & 0o077, 0, file)
  })

  test('are not loaded from a compile cache that others can write', async () => {
    const tmp = join(root, 'tmp')
    const planted = join(tmp, cache)
    await mkdir(planted, { recursive: true })
    await chmod(planted, 0o777)
    const server = await startServer({ DATA_DIR: join(root, 'second'), TMPDIR: tmp })
    await server.stop()
    assert.deepEqual(everything(tmp), [tmp, planted])
    assert.equal(modeOf(join(root, cache)), 0o700) // that of the first test, which was the service's own
  })
})
