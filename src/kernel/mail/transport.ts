import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import nodemailer from 'nodemailer'
import { SMTP_TIMEOUTS } from '../config/deadlines.ts'
import type { Log } from '../log/log.ts'

export interface OutgoingMail {
  /** The same in every try, so that receivers recognise duplicates. */
  id: string
  kind: string
  to: string
  subject: string
  text: string
  html: string
}

export interface MailConfig {
  smtpUrl: string | null
  mailFrom: string | null
  dataDir: string
}

export interface Transport {
  /** Delivers an e-mail. Rejects if that fails or `signal` is aborted. */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<void>
  close(): void
}

/** Sends by SMTP if `SMTP_URL` is set; otherwise writes files to `DATA_DIR/mail` and logs the link in each. */
export function createTransport(config: MailConfig, log: Log): Transport {
  const from = config.mailFrom ?? 'Bukhindor <no-reply@localhost>'
  return config.smtpUrl ? smtpTransport(config.smtpUrl, from) : fileTransport(join(config.dataDir, 'mail'), from, log)
}

function smtpTransport(url: string, from: string): Transport {
  // TLS with a valid certificate is required (ASVS 12.2.1, 12.3.2), except on the loopback interface, where nobody can
  // intercept the connection and servers have no valid certificate.
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname)
  const transport = nodemailer.createTransport({
    url,
    requireTLS: !isLocal,
    tls: { rejectUnauthorized: !isLocal },
    disableFileAccess: true,
    disableUrlAccess: true,
    ...SMTP_TIMEOUTS,
  })
  return {
    async send(mail, signal) {
      await transport.sendMail({ ...message(mail, from), signal })
    },
    close: () => transport.close(),
  }
}

function fileTransport(folder: string, from: string, log: Log): Transport {
  const composer = nodemailer.createTransport({ streamTransport: true, buffer: true })
  return {
    async send(mail) {
      const { message: source } = await composer.sendMail(message(mail, from))
      const file = join(
        folder,
        `${new Date().toISOString().replaceAll(':', '-')}-${mail.kind}-${mail.id.slice(-12)}.eml`,
      )
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(`${file}.part`, source as Buffer, { mode: 0o600 })
      await rename(`${file}.part`, file)
      log.info({ mail: mail.kind, file, link: /\S+:\/\/\S+token=\S+/.exec(mail.text)?.[0] }, 'e-mail written to a file')
    },
    close: () => composer.close(),
  }
}

function message({ id, to, subject, text, html }: OutgoingMail, from: string) {
  const domain = /@([\w.-]+)/.exec(from)?.[1] ?? 'localhost'
  return {
    from,
    to: { name: '', address: to }, // an object is one address, whatever it contains (ASVS 1.3.11)
    subject,
    text,
    html,
    messageId: `<${id}@${domain}>`,
    headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834
  }
}
