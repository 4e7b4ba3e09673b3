import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createLog } from '../../../src/kernel/log/log.ts'
import { createTransport } from '../../../src/kernel/mail/transport.ts'
import { loadConfig } from '../../../src/settings/config.ts'
import { PASSWORD, startApp } from '../../support/app.ts'
import { linkIn, startSmtp } from '../../support/smtp.ts'
import { until } from '../../support/until.ts'

const [plain, encrypted] = [await startSmtp(), await startSmtp({ starttls: true })]
after(() => Promise.all([plain.stop(), encrypted.stop()]))

const message = {
  id: 'id',
  kind: 'test',
  to: 'anna@example.org',
  subject: 'Hello',
  text: 'Hello',
  html: '<p>Hello</p>',
}

async function send(smtpUrl: string, change: Partial<typeof message> = {}, signal = AbortSignal.timeout(20_000)) {
  const config = loadConfig({ LOG_LEVEL: 'silent' })
  const settings = { smtpUrl, mailFrom: 'Bukhindor <no-reply@example.org>', dataDir: config.dataDir }
  const transport = createTransport(settings, await createLog(config))
  await transport.send({ ...message, ...change }, signal).finally(() => transport.close())
}

describe('The connection to the mail server', () => {
  // Another loopback address stands for another machine: only 127.0.0.1 and ::1 are this one.
  const skip = process.platform !== 'linux' && 'only Linux answers at 127.0.0.2'

  test('to another machine is always encrypted', { skip }, async () => {
    await assert.rejects(send(`smtp://127.0.0.2:${plain.port}`), { code: 'ETLS' })
    assert.equal(plain.reached.mail, 0)
  })

  test('to another machine needs a trusted certificate', { skip }, async () => {
    for (const scheme of ['smtp', 'smtps'])
      await assert.rejects(send(`${scheme}://127.0.0.2:${encrypted.port}`), /certificate|wrong version|SSL/i)
    assert.equal(encrypted.reached.mail, 0)
  })

  test('to the local machine may be unencrypted, or use a certificate without a name', async () => {
    await send(`smtp://127.0.0.1:${plain.port}`)
    await send(`smtp://localhost:${encrypted.port}`)
    assert.deepEqual([plain.mails.length, encrypted.mails.length], [1, 1])
  })

  test('cannot be weakened by SMTP_URL', () => {
    for (const options of ['?requireTLS=false', '?tls.rejectUnauthorized=false', '#x'])
      assert.throws(
        () => loadConfig({ SMTP_URL: `smtp://mail.example.org${options}`, MAIL_FROM: 'a@example.org' }),
        /SMTP_URL: must be smtp/,
      )
  })

  test('ends at the abort signal, even if the server is silent', async () => {
    plain.trouble = { at: 'mail', how: 'hang' }
    const leave = new AbortController()
    const sending = send(`smtp://127.0.0.1:${plain.port}`, {}, leave.signal)
    await plain.until(() => plain.reached.mail > 1)
    leave.abort(new Error('enough'))
    await assert.rejects(sending)
    plain.trouble = null
  })

  test('sends to exactly one address, whatever it contains', async () => {
    const before = plain.mails.length
    const sent = await send(`smtp://127.0.0.1:${plain.port}`, {
      to: 'a@example.org\r\nBcc: b@example.org, <c@example.org>',
      subject: 'Hello\r\nBcc: b@example.org',
    }).catch((error) => error)
    const mail = plain.mails[before]
    if (!mail) return assert.ok(sent instanceof Error)
    assert.equal(mail.recipients.length, 1)
    assert.equal(mail.headers.get('bcc'), undefined)
  })
})

test('without a mail server, emails are files readable by the owner only, and the log has the link', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bukhindor-mail-'))
  const app = await startApp('sqlite', { env: { DATA_DIR: folder } })
  const body = { email: 'files@example.org', password: PASSWORD, name: 'Анна' }
  await app.api.register(body)
  const line = await until(() => app.logs.find(({ msg }) => msg === 'e-mail written to a file'))
  const [file] = readdirSync(join(folder, 'mail'))
  const path = join(folder, 'mail', file as string)
  assert.equal(line.file, path)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.match(readFileSync(path, 'utf8'), /^To: files@example\.org$/m)
  const link = linkIn({ text: line.link as string })
  assert.equal((await fetch(app.url + link.pathname + link.search)).status, 200)
  await app.close()
  rmSync(folder, { recursive: true })
})
