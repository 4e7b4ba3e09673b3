import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Attack, Target } from '../target.ts'

/** The largest answer of the service. */
async function largestAsset({ client }: Target): Promise<string> {
  const { body } = await client.get('/docs')
  return /src="([^"]+bundle\.js)"/.exec(body)?.[1] ?? assert.fail('there is no bundle')
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

/** Requests more on one connection than the kernel buffers can hold, and reads nothing. */
function standStill(target: Target, path: string): Socket {
  const socket = target.socket()
  socket.pause()
  socket.write(request(path).repeat(10))
  return socket
}

export const slowReader: Attack = {
  name: 'slow-reader',
  title: 'a client that requests large files and reads nothing does not crash the process',
  quick: true,
  engine: 'sqlite',
  env: { REQUEST_TIMEOUT: '1s' },
  async run(target) {
    const path = await largestAsset(target)
    const sockets = Array.from({ length: 5 }, () => standStill(target, path))
    await pause(3000)
    await target.requireAlive()
    for (const socket of sockets) socket.destroy()
  },
}

export const abandonedDownload: Attack = {
  name: 'abandoned-download',
  title: 'a slow or abandoned download does not crash the process',
  quick: true,
  engine: 'sqlite',
  env: { REQUEST_TIMEOUT: '1s' },
  async run(target) {
    const path = await largestAsset(target)
    const slow = target.socket()
    slow.pause()
    slow.write(request(path))
    const reading = setInterval(() => slow.read(1024), 100)
    const abandoned = target.socket()
    abandoned.write(request(path))
    abandoned.once('data', () => abandoned.destroy())
    await pause(3000)
    clearInterval(reading)
    await target.requireAlive()
    slow.destroy()
  },
}

export const slowReadersAreCut: Attack = {
  name: 'slow-readers-are-cut',
  title: '200 connections that read nothing are closed within 45 s while others are served',
  quick: false,
  engine: 'sqlite',
  async run(target) {
    const path = await largestAsset(target)
    const sockets: Socket[] = []
    // One by one: all at once would be refused as a flood, with short answers.
    while (sockets.length < 200) {
      sockets.push(standStill(target, path))
      await pause(20)
    }
    const open = new Set(sockets)
    // A paused socket does not notice a reset: a write does.
    for (const socket of sockets) socket.once('close', () => open.delete(socket))
    const deadline = performance.now() + 45_000
    while (open.size > 0 && performance.now() < deadline) {
      await pause(1000)
      await target.requireAlive()
      for (const socket of open) if (socket.writable) socket.write('\r\n')
    }
    const left = open.size
    for (const socket of sockets) socket.destroy()
    assert.equal(left, 0, `${left} of 200 are open after 45 s`)
  },
}

export const debuggerSignal: Attack = {
  name: 'debugger-signal',
  title: 'SIGUSR1 does not open the inspector',
  quick: false, // shutdown.test.ts has the same, with workers too
  engine: 'sqlite',
  env: { LOG_LEVEL: 'info', NODE_ENV: 'production' },
  async run(target) {
    process.kill(target.server.pid, 'SIGUSR1')
    await pause(500)
    assert.doesNotMatch(target.server.output(), /Debugger listening/)
    await target.requireAlive()
  },
}
