import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'

/** The phases of a delivery: connected, sender given, recipient given, data sent but not yet accepted. */
export const PHASES = ['connect', 'mail', 'rcpt', 'data'] as const
export type Phase = (typeof PHASES)[number]

/** What the server does at a phase of a delivery instead of accepting it. */
export interface Trouble {
  at: Phase
  /**
   * `refuse` answers 450 (421 at `connect`), `hang` stops answering, `drop` closes the connection, `forget` closes it
   * after accepting the email.
   */
  how: 'refuse' | 'hang' | 'drop' | 'forget'
}

export interface ReceivedMail extends ParsedMail {
  /** The recipients of the envelope, in order. */
  recipients: string[]
  /** The raw message. */
  source: string
}

export interface SmtpServer {
  port: number
  /** The settings with which the service sends through this server. */
  env: { SMTP_URL: string; MAIL_FROM: string }
  /** Every mail that was accepted. */
  mails: ReceivedMail[]
  /** How many deliveries have reached each phase. */
  reached: Record<Phase, number>
  trouble: Trouble | null
  /** Waits for the first matching email. Fails after 20 s with a list of what has arrived. */
  waitFor(predicate: (mail: ReceivedMail) => boolean): Promise<ReceivedMail>
  /** Waits until a condition holds that a delivery changes. */
  until(condition: () => boolean): Promise<void>
  /** Closes all connections and the port. */
  stop(): Promise<void>
  /** Listens on the same port again. */
  start(): Promise<void>
}

const PATIENCE = 20_000

/**
 * Starts a real SMTP server on a free port that parses each email.
 * @param starttls offers STARTTLS with an untrusted certificate
 */
export async function startSmtp({ starttls = false } = {}): Promise<SmtpServer> {
  const sockets = new Set<Socket>()
  const watchers = new Set<() => void>()
  const changed = () => {
    for (const watcher of watchers) watcher()
  }
  let server: SMTPServer

  const smtp: SmtpServer = {
    port: 0,
    env: { SMTP_URL: '', MAIL_FROM: 'Bukhindor <no-reply@example.org>' },
    mails: [],
    reached: { connect: 0, mail: 0, rcpt: 0, data: 0 },
    trouble: null,
    async waitFor(predicate) {
      await smtp.until(() => smtp.mails.some(predicate))
      return smtp.mails.find(predicate) as ReceivedMail
    },
    until(condition) {
      return new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          clearTimeout(timer)
          watchers.delete(look)
          settle()
        }
        const timer = setTimeout(() => end(() => reject(new Error(`no such mail has come; ${told()}`))), PATIENCE)
        const look = () => {
          if (condition()) end(resolve)
        }
        watchers.add(look)
        look()
      })
    },
    async start() {
      server = createServer()
      server.listen(smtp.port, '0.0.0.0')
      await once(server.server, 'listening')
      smtp.port = (server.server.address() as { port: number }).port
      smtp.env.SMTP_URL = `smtp://127.0.0.1:${smtp.port}`
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  const told = () =>
    `the last were: ${smtp.mails
      .slice(-10)
      .map((mail) => `${mail.recipients} ${mail.subject}`)
      .join('; ')}`

  function createServer(): SMTPServer {
    const server = new SMTPServer({
      disabledCommands: starttls ? ['AUTH'] : ['AUTH', 'STARTTLS'],
      closeTimeout: 1,
      onConnect: (_session, go) => step('connect', go),
      onMailFrom: (_address, _session, go) => step('mail', go),
      onRcptTo: (_address, _session, go) => step('rcpt', go),
      onData(stream, session, go) {
        const chunks: Buffer[] = []
        stream.on('data', (chunk) => chunks.push(chunk))
        stream.on('end', async () => {
          const source = Buffer.concat(chunks)
          const recipients = session.envelope.rcptTo.map(({ address }) => address)
          const mail = { ...(await simpleParser(source)), recipients, source: source.toString() }
          if (smtp.trouble?.how === 'forget') smtp.mails.push(mail)
          step('data', (error) => {
            if (!error) smtp.mails.push(mail)
            go(error)
          })
        })
      },
    })
    server.on('error', () => {}) // of connections that are dropped
    server.server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    return server
  }

  function step(phase: Phase, go: (error?: Error | null) => void): void {
    smtp.reached[phase]++
    const { trouble } = smtp
    if (trouble?.at !== phase) go()
    else if (trouble.how === 'refuse')
      go(Object.assign(new Error('not now'), { responseCode: phase === 'connect' ? 421 : 450 }))
    else if (trouble.how !== 'hang') for (const socket of sockets) socket.destroy()
    changed()
  }

  await smtp.start()
  return smtp
}

/** The link in a mail. */
export function linkIn({ text }: Pick<ParsedMail, 'text'>): URL {
  const [link] = /\S+:\/\/\S+token=\S+/.exec(text ?? '') ?? []
  if (!link) throw new Error(`there is no link in this mail:\n${text}`)
  return new URL(link)
}

/** The token of the link in a mail. */
export const tokenIn = (mail: Pick<ParsedMail, 'text'>): string => linkIn(mail).searchParams.get('token') as string

/** Matches emails to an address, with a matching subject. Domains are sent in lower case. */
export const mailTo = (address: string, subject: RegExp = /./) => {
  const recipient = address.replace(/@.*/, (domain) => domain.toLowerCase())
  return (mail: ReceivedMail): boolean => mail.recipients.includes(recipient) && subject.test(mail.subject ?? '')
}
