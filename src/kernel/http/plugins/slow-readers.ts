import type { Socket } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { SLOW_READER } from '../../config/deadlines.ts'
import { guarded } from '../../lib/guarded.ts'

const CHECK_MS = 1000

interface Progress {
  /** Bytes that the system had sent or buffered, at the time `at`. */
  taken: number
  at: number
}

/**
 * Destroys connections with unsent bytes whose client reads less than `minBytes` per window, since pending responses
 * use memory and may keep files open.
 * @see docs/decisions/0009-slow-readers.md
 */
export function createSlowReaderGuard(
  log: Pick<FastifyBaseLogger, 'info' | 'error'>,
  { windowMs, minBytes } = SLOW_READER,
) {
  const connections = new Map<Socket, Progress>()

  function check(): void {
    const now = performance.now()
    for (const [socket, progress] of connections) {
      if (socket.destroyed) {
        connections.delete(socket)
        continue
      }
      const { taken, unsent } = progressOf(socket)
      if (unsent === 0 || taken - progress.taken >= minBytes) {
        progress.taken = taken
        progress.at = now
      } else if (now - progress.at > windowMs) {
        connections.delete(socket)
        log.info({ ip: socket.remoteAddress, sent_bytes: taken, unsent_bytes: unsent }, 'slow reader disconnected')
        socket.resetAndDestroy() // After `destroy` alone, the operating system would still send the rest.
      }
    }
  }

  const timer = setInterval(guarded(log, 'slow readers', check), CHECK_MS).unref()
  return {
    watch: (socket: Socket): void => void connections.set(socket, { taken: 0, at: performance.now() }),
    stop: () => clearInterval(timer),
  }
}

/** Watches every connection of the server. */
export const slowReaders = fp(
  async (app) => {
    const { watch, stop } = createSlowReaderGuard(app.log)
    app.server.on('connection', watch)
    app.addHook('onClose', async () => stop())
  },
  { name: 'slow-readers', fastify: '5.x' },
)

/**
 * Returns how many bytes of a socket the system has taken, and how many are unsent. Only its handle knows the progress
 * of a single large write; `socket.setTimeout` of Node.js reads it as well.
 */
export function progressOf(socket: Socket): { taken: number; unsent: number } {
  const { _handle: handle } = socket as unknown as {
    _handle?: { bytesWritten: number; writeQueueSize: number } | null
  }
  if (!handle?.writeQueueSize)
    return { taken: socket.bytesWritten - socket.writableLength, unsent: socket.writableLength }
  return {
    taken: handle.bytesWritten - handle.writeQueueSize,
    unsent: Math.max(handle.writeQueueSize, socket.writableLength),
  }
}
