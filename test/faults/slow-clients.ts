import { connect, type Socket } from 'node:net'
import { createClient, quantile, signUp } from '../support/process-client.ts'
import type { Fault } from './support/fault.ts'

const CONNECTIONS = 2000
const PATIENCE = 45_000

export const slowClients: Fault = {
  name: 'slow-clients',
  title: '2,000 slow connections: half send headers, half a body, a byte a second',
  holds: 'healthy clients unaffected; slow ones cut within 30 s',
  quick: true,
  async run(context) {
    const server = await context.server()
    const client = createClient(server.url)
    const { access_token } = await signUp(client, 'anna@example.org')
    const measure = async () => {
      const answers = []
      for (let n = 0; n < 200; n++) answers.push(await client.me(access_token))
      return answers
    }
    const before = await measure()
    const { port, host } = new URL(server.url)
    const lives: Promise<number>[] = []
    const sockets: Socket[] = []
    for (let n = 0; n < CONNECTIONS; n++) {
      const socket = connect(Number(port), '127.0.0.1')
      sockets.push(socket)
      const began = performance.now()
      lives.push(new Promise((resolve) => socket.on('close', () => resolve(performance.now() - began))))
      socket.on('error', () => {})
      socket.resume()
      socket.write(
        n % 2
          ? `GET /health HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `
          : `POST /api/v1/auth/login HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
      )
    }
    const drip = setInterval(() => {
      for (const socket of sockets) if (socket.writable) socket.write('a')
    }, 1000)
    const during = await measure()
    const giveUp = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, PATIENCE)
    const times = await Promise.all(lives)
    clearInterval(drip)
    clearTimeout(giveUp)
    client.close()
    const p95 = (answers: { ms: number }[]) =>
      quantile(
        answers.map(({ ms }) => ms),
        0.95,
      )
    return {
      ok: Math.max(...times) < 30_000 && [...before, ...during].every(({ status }) => status === 200),
      figure: `cut after ${Math.round(quantile(times, 0.5) / 100) / 10} s (median), at most ${Math.round(Math.max(...times) / 100) / 10} s; healthy clients all served, p95 ${p95(during).toFixed(1)} ms (${p95(before).toFixed(1)} before)`,
    }
  },
}
