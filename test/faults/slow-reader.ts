import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { createClient, tally } from '../support/process-client.ts'
import { until } from '../support/until.ts'
import type { Context, Fault } from './support/fault.ts'

/** How long slow readers may stay connected, and how long the process is watched, in ms. */
const CUT_WITHIN_MS = 30_000
const HONEST_BYTES_PER_SECOND = 50_000

/** The largest answer: the script of the documentation. */
async function bundle(url: string): Promise<{ path: string; size: number }> {
  const page = await (await fetch(`${url}/docs`)).text()
  const path = /[^"]+swagger-ui-bundle\.js/.exec(page)?.[0] ?? ''
  return { path, size: (await (await fetch(url + path)).arrayBuffer()).byteLength }
}

async function open(url: string, path: string, times: number): Promise<Socket> {
  const { port, host } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(times))
  return socket
}

/**
 * Reads about that many bytes a second until the connection closes, `enough` have arrived, or `ms` have passed.
 * @returns the number of bytes
 */
async function readSlowly(
  socket: Socket,
  bytesPerSecond: number,
  { enough = Number.POSITIVE_INFINITY, ms = Number.POSITIVE_INFINITY },
): Promise<number> {
  let read = 0
  let isOpen = true
  socket.once('close', () => {
    isOpen = false
  })
  const began = performance.now()
  while (isOpen && read < enough && performance.now() - began < ms) {
    const allowed = ((performance.now() - began) / 1000) * bytesPerSecond - read
    const chunk: Buffer | null = allowed > 0 ? socket.read(Math.min(socket.readableLength, Math.ceil(allowed))) : null
    if (chunk) read += chunk.length
    else socket.read(0)
    await pause(20)
  }
  return read
}

/** Whether the other side has reset a connection that was hardly read from: what it had in flight is gone then. */
async function isCut(socket: Socket, whole: number, read = 0): Promise<boolean> {
  socket.on('data', (chunk) => {
    read += chunk.length
  })
  socket.resume()
  await until(async () => socket.destroyed || read >= whole)
  return read < whole
}

async function alive(context: Context, env: Record<string, string> = {}) {
  const server = await context.server(env)
  const client = createClient(server.url)
  context.defer(() => client.close())
  return { server, ask: () => client.get('/health'), ...(await bundle(server.url)) }
}

async function slowReaders(context: Context) {
  const { server, ask, path, size } = await alive(context)
  const inQueue = 8 // More than the buffers of the system hold.
  const still: Socket[] = []
  for (let n = 0; n < 500; n++) still.push(await open(server.url, path, inQueue))
  const began = performance.now()
  const trickling = await Promise.all(Array.from({ length: 50 }, () => open(server.url, path, inQueue)))
  const trickles = trickling.map((socket) => readSlowly(socket, 1000, { ms: CUT_WITHIN_MS }))
  const honest = open(server.url, path, 1).then((socket) =>
    readSlowly(socket, HONEST_BYTES_PER_SECOND, { enough: size }),
  )
  const answers = []
  while (performance.now() - began < CUT_WITHIN_MS) {
    answers.push(await ask())
    await pause(100)
  }
  const whole = inQueue * size
  const cut = (await Promise.all(still.map((socket) => isCut(socket, whole)))).filter(Boolean).length
  const trickled = await Promise.all(trickles)
  const cutTrickles = (await Promise.all(trickling.map((socket, n) => isCut(socket, whole, trickled[n])))).filter(
    Boolean,
  )
  const read = await honest
  for (const socket of [...still, ...trickling]) socket.destroy()
  const afterwards = await ask()
  return {
    ok:
      cut === still.length &&
      cutTrickles.length === trickling.length &&
      read >= size &&
      [...answers, afterwards].every(({ status }) => status === 200),
    figure: `${cut} of ${still.length} that stood still cut within ${CUT_WITHIN_MS / 1000} s, ${cutTrickles.length} of ${trickling.length} at 1 KB/s; one at 50 KB/s read ${read} of ${size} bytes; others meanwhile ${tally(answers)}`,
  }
}

async function abandoned(context: Context) {
  const workers = 2
  const { server, ask, path, size } = await alive(context, { WORKERS: String(workers) })
  // A phone that goes on at its pace, one that goes away in the middle, and one that leaves its connection standing.
  const slow = Array.from({ length: 4 }, async () =>
    readSlowly(await open(server.url, path, 1), HONEST_BYTES_PER_SECOND, { enough: size }),
  )
  const gone = Array.from({ length: 50 }, async (_, n) => {
    const socket = await open(server.url, path, 1 + (n % 4))
    await readSlowly(socket, 1_000_000, { enough: 100_000 })
    if (n % 2) socket.destroy()
    else socket.resetAndDestroy()
  })
  await Promise.all(gone)
  const standing = await open(server.url, path, 4)
  const began = performance.now()
  const answers = []
  while (performance.now() - began < CUT_WITHIN_MS) {
    answers.push(await ask())
    await pause(100)
  }
  const read = await Promise.all(slow)
  standing.destroy()
  const died = /worker exited unexpectedly|uncaughtException|unhandledRejection/.test(server.output())
  return {
    ok: !died && answers.every(({ status }) => status === 200) && read.every((bytes) => bytes >= size),
    figure: `${died ? 'a process died' : 'no process died'} in ${CUT_WITHIN_MS / 1000} s after 50 abandoned downloads; ${read.filter((bytes) => bytes >= size).length} of 4 slow downloads complete; others meanwhile ${tally(answers)}`,
  }
}

export const slowReader: Fault = {
  name: 'slow-reader',
  title: '500 connections that pipeline 8 large GET and read nothing, 50 that read 1 KB/s, one at 50 KB/s',
  holds: 'the process survives; slow readers cut within 30 s; well-behaved clients served',
  quick: true,
  run: slowReaders,
}

export const abandonedDownload: Fault = {
  name: 'abandoned-download',
  title: 'downloads at 50 KB/s, some abandoned midway, some stalled, with two workers',
  holds: 'no process dies; well-behaved clients get whole responses',
  quick: true,
  run: abandoned,
}
