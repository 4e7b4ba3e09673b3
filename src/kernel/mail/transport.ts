import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import nodemailer from 'nodemailer'
import { SMTP_TIMEOUTS } from '../config/deadlines.ts'
import type { Log } from '../log/log.ts'

export interface OutgoingMail {
  /** Unchanged when the mail is tried again, so that a receiver can tell a repetition. */
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
  /** Hands a mail over for good, or gives up at the signal. Throws when it could not. */
  send(mail: OutgoingMail, signal: AbortSignal): Promise<void>
  close(): void
}

/** SMTP_TIMEOUTS where `SMTP_URL` is set; otherwise files in `DATA_DIR/mail`, and a line in the log with the link. */
export function createTransport(config: MailConfig, log: Log): Transport {
  const from = config.mailFrom ?? 'Bukhindor <no-reply@localhost>'
  return config.smtpUrl ? smtpTransport(config.smtpUrl, from) : fileTransport(join(config.dataDir, 'mail'), from, log)
}

function smtpTransport(url: string, from: string): Transport {
  // Never in the clear to another machine (ASVS 12.2.1, 12.3.2): STARTTLS is required, and certificates are checked. On
  // the way to this machine itself nobody can listen, and no certificate is made out to it.
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
