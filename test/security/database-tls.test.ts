import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import type { Database } from '../../src/kernel/db/database.ts'
import { openDatabase } from '../../src/kernel/db/open.ts'
import { loadConfig } from '../../src/settings/config.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { unprivilegedUser } from '../support/postgres-binaries.ts'

const skip = process.env.TEST_POSTGRES_URL ? isMissing('openssl') : 'PostgreSQL is not installed'

function isMissing(program: string): string | false {
  try {
    execFileSync(program, ['version'], { stdio: 'ignore' })
    return false
  } catch {
    return `${program} is not installed`
  }
}

describe('The connection to PostgreSQL with sslmode=verify-full', { skip }, () => {
  let folder: string
  let cluster: Postgres | null
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bukhindor-tls-'))
    const paths = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
    const what = ['-newkey', 'rsa:2048', '-days', '2', '-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1']
    execFileSync('openssl', ['req', '-x509', '-nodes', ...what, ...paths], { stdio: 'ignore' })
    const owner = await unprivilegedUser()
    if (owner) for (const path of [folder, join(folder, 'key.pem')]) chownSync(path, owner.uid, owner.gid)
    const files = { ssl_cert_file: join(folder, 'cert.pem'), ssl_key_file: join(folder, 'key.pem') }
    cluster = await startPostgres({ settings: { ssl: 'on', ...files } })
  })
  after(async () => {
    await cluster?.stop('immediate')
    rmSync(folder, { recursive: true, force: true })
  })

  function open(host: string, options: Record<string, string>): Promise<Database> {
    const url = new URL(cluster?.url ?? assert.fail('there is no cluster'))
    url.hostname = host
    url.search = new URLSearchParams({ sslmode: 'verify-full', ...options }).toString()
    return openDatabase(loadConfig({ DATABASE_URL: url.href, APP_SECRET: 'c2VjcmV0'.repeat(6) }))
  }

  test('is encrypted if a known authority issued the certificate for the host', async () => {
    const database = await open('127.0.0.1', { sslrootcert: join(folder, 'cert.pem') })
    const { rows } = await sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(database.db)
    await database.close()
    assert.deepEqual(rows, [{ ssl: true }])
  })

  test('is refused if the authority is unknown or the certificate names another host', async () => {
    await assert.rejects(open('127.0.0.1', {}), { name: 'DatabaseError', message: /certificate/ })
    await assert.rejects(open('localhost', { sslrootcert: join(folder, 'cert.pem') }), {
      name: 'DatabaseError',
      message: /altnames|certificate/,
    })
  })
})
